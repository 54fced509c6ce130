// All proplets: as a map of their slots, or as a table.

import { type ReactNode, useMemo } from "react";
import { Link } from "wouter";
import { useAddress } from "../../parts/address";
import { FilterBar, SearchField } from "../../parts/filters";
import { Empty, notYet, Problem } from "../../parts/messages";
import { useTitle } from "../../parts/title";
import { count, shortened, visible } from "../../words";
import { type Fleet, useFleet } from "./fleet-query";
import { LivenessSign } from "./liveness";
import { FleetMap } from "./map";
import { allTags, chosenOf, countsOf, LIVENESS, LIVENESS_WORDS, type PropletView } from "./proplets";
import { FleetTable } from "./table";
import "../../parts/dense.css";
import "./fleet.css";

const VIEWS = [
  { id: "", name: "Map" },
  { id: "table", name: "Table" },
] as const;

const NONE: PropletView[] = [];

export default function FleetPage(): ReactNode {
  useTitle("Proplets");
  const query = useFleet();
  const address = useAddress();
  const proplets = query.data?.proplets ?? NONE;
  const filters = { search: address.get("search"), tag: address.get("tag"), liveness: address.get("state") };
  const { search, tag, liveness } = filters;
  const chosen = useMemo(
    () => chosenOf(proplets, { search, tag, liveness }),
    [proplets, search, tag, liveness],
  );
  const view = address.get("view");
  const isFiltered = Boolean(search || tag || liveness);
  return (
    <div className="page">
      <div className="page-head">
        <h1>Proplets</h1>
        {query.data && proplets.length > 0 && <Sums fleet={query.data} />}
        <nav className="filter-states fleet-views" aria-label="View">
          {VIEWS.map((one) => (
            <Link
              key={one.name}
              href={address.with({ view: one.id })}
              aria-current={view === one.id ? "true" : undefined}
            >
              {one.name}
            </Link>
          ))}
        </nav>
      </div>
      {query.error ? <Problem error={query.error} what="The proplets could not be read." /> : null}
      {notYet(query, "proplets")}
      {query.data && proplets.length === 0 && <NoProplets />}
      {proplets.length > 0 && (
        <>
          <Filters proplets={proplets} tag={tag} liveness={liveness} />
          {isFiltered && chosen.length === 0 && (
            <Empty title="No proplet is like that">
              <Link href="/proplets">Show all proplets</Link>
            </Empty>
          )}
          {chosen.length > 0 &&
            (view === "table" ? <FleetTable proplets={chosen} /> : <FleetMap proplets={chosen} />)}
        </>
      )}
    </div>
  );
}

function Sums({ fleet: { proplets, total } }: { fleet: Fleet }): ReactNode {
  const alive = proplets.filter((proplet) => proplet.alive);
  const slots = alive.reduce((sum, proplet) => sum + proplet.slots, 0);
  const busy = alive.reduce((sum, proplet) => sum + Math.min(proplet.task_count, proplet.slots), 0);
  return (
    <span className="quiet number">
      {count(alive.length)} of {count(total)} alive · {count(busy)} of {count(slots)} slots taken
      {total > proplets.length && ` · the first ${count(proplets.length)} are shown`}
    </span>
  );
}

type FiltersProps = { proplets: readonly PropletView[]; tag: string; liveness: string };

function Filters({ proplets, tag, liveness }: FiltersProps): ReactNode {
  const address = useAddress();
  const counts = useMemo(() => countsOf(proplets), [proplets]);
  const tags = useMemo(() => allTags(proplets), [proplets]);
  return (
    <FilterBar>
      <SearchField name="search" label="Search proplets" placeholder="Name, id, host or tag" />
      <nav className="filter-states" aria-label="State">
        <Link href={address.with({ state: undefined })} aria-current={liveness === "" ? "true" : undefined}>
          All <span className="filter-count number">{count(proplets.length)}</span>
        </Link>
        {LIVENESS.map((one) => (
          <Link
            key={one}
            href={address.with({ state: one })}
            aria-current={liveness === one ? "true" : undefined}
          >
            <LivenessSign of={one} size={12} /> {LIVENESS_WORDS[one]}
            <span className="filter-count number">{count(counts[one])}</span>
          </Link>
        ))}
      </nav>
      {(tags.length > 0 || tag) && (
        <select
          className="field"
          aria-label="Tag"
          value={tag}
          onChange={(event) => address.change({ tag: event.target.value })}
        >
          <option value="">Any tag</option>
          {[...new Set([...(tag ? [tag] : []), ...tags])].map((one) => (
            <option key={one} value={one}>
              {shortened(visible(one), 40)}
            </option>
          ))}
        </select>
      )}
    </FilterBar>
  );
}

function NoProplets(): ReactNode {
  return (
    <Empty title="There are no proplets yet">
      <p>A proplet runs tasks. Tasks that are started now wait for one.</p>
      <p>
        On this machine: <code>propeller up</code> starts a manager with proplets.
        <br />
        On others: <code>propeller proplet</code> joins a manager through its broker.
      </p>
    </Empty>
  );
}

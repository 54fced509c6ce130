// The lists of workflows and of jobs.

import { type ReactNode, useMemo } from "react";
import { Link } from "wouter";
import { useList } from "../../live/list";
import { useOverview } from "../../live/overview";
import { type Address, useAddress } from "../../parts/address";
import { FilterBar, SearchField, StateFilter, TimeFilter } from "../../parts/filters";
import { ListTable } from "../../parts/list";
import { Empty, notYet, Problem } from "../../parts/messages";
import { Paging } from "../../parts/paging";
import { useSelection } from "../../parts/selection";
import { useTitle } from "../../parts/title";
import { BulkActions, FailuresList, useBulk, useBulkKeys, useFailures } from "./acting";
import { columnsOf } from "./columns";
import { LabelFilter } from "./label-filter";
import { type GroupList, listGroups } from "./listing";
import { GROUP_STATES, type GroupFilters, type GroupRow, type Kind, nameOf } from "./rows";
import "./groups.css";

export default function Groups({ kind }: { kind: Kind }): ReactNode {
  return <GroupsOf key={kind} kind={kind} />;
}

function filtersOf(address: Address): GroupFilters {
  return {
    state: address.get("state"),
    search: address.get("search"),
    labels: address.all("label"),
    since: address.get("since"),
    until: address.get("until"),
    cursor: address.get("cursor"),
  };
}

const idOf = (row: GroupRow): string => row.id;
const NOTHING: GroupList = { rows: [], total: 0, next: undefined };

function GroupsOf({ kind }: { kind: Kind }): ReactNode {
  const address = useAddress();
  const filters = filtersOf(address);
  const overview = useOverview();
  const isFiltered = Object.entries(filters).some(([name, value]) => value.length > 0 && name !== "cursor");
  const query = useList(`${kind}s`, filters, isFiltered, (signal) => listGroups(kind, filters, signal));
  const { rows, total, next } = query.data?.list ?? NOTHING;
  const ids = useMemo(() => rows.map(idOf), [rows]);
  const selection = useSelection(ids);
  const [failures, setFailures] = useFailures();
  const ask = useBulk(kind, selection, setFailures);
  const acts = useBulkKeys(kind, rows, ask);
  const columns = useMemo(
    () => columnsOf(kind, (label) => address.with({ label: [...new Set([...address.all("label"), label])] })),
    [kind, address],
  );
  const title = kind === "workflow" ? "Workflows" : "Jobs";
  useTitle(title);
  return (
    <div className="page">
      <div className="page-head">
        <h1>{title}</h1>
        <Link className="button head-button" href={`/new?kind=${kind}`}>
          New {kind}
        </Link>
      </div>
      <FilterBar>
        <SearchField name="search" label={`Search ${kind}s`} placeholder="Id, or part of a name" />
        <StateFilter states={GROUP_STATES} counts={overview?.[`${kind}s`] ?? {}} />
        <LabelFilter />
        <TimeFilter />
      </FilterBar>
      {failures && <FailuresList result={failures} onClose={() => setFailures(null)} />}
      {query.error && <Problem error={query.error} what={`The list of ${kind}s could not be read.`} />}
      {notYet(query, `${kind}s`)}
      {query.data && rows.length > 0 && (
        <ListTable
          caption={title}
          columns={columns}
          rows={rows}
          idOf={idOf}
          nameOf={nameOf}
          question={JSON.stringify(filters)}
          selection={selection}
          acts={acts}
          isStale={query.isPlaceholderData}
        />
      )}
      {query.data && rows.length === 0 && (
        <Nothing kind={kind} isFiltered={isFiltered || filters.cursor !== ""} />
      )}
      {query.data && rows.length > 0 && (
        <div className="list-foot">
          <BulkActions rows={rows} selection={selection} ask={ask} />
          <Paging shown={rows.length} total={total} next={next} what={[kind, `${kind}s`]} />
        </div>
      )}
    </div>
  );
}

function Nothing({ kind, isFiltered }: { kind: Kind; isFiltered: boolean }): ReactNode {
  if (isFiltered) {
    return (
      <Empty title={`No ${kind} is like that`}>
        <Link href={`/${kind}s`}>Show all {kind}s</Link>
      </Empty>
    );
  }
  return (
    <Empty title={`There are no ${kind}s yet`}>
      <p>
        <Link href={`/new?kind=${kind}`}>Make one here</Link>, or on the command line:{" "}
        <code>
          propeller {kind}s run{" "}
          {kind === "workflow" ? "examples/addition-workflow.yaml" : "examples/addition-job.yaml"}
        </code>
      </p>
    </Empty>
  );
}

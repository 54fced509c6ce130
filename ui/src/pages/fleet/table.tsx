// All proplets as a table. Only the rows that are seen are drawn, and asked for what they use.

import { useVirtualizer } from "@tanstack/react-virtual";
import { type ReactNode, useLayoutEffect, useMemo, useRef, useState, useSyncExternalStore } from "react";
import { Link } from "wouter";
import { Meter } from "../../parts/meter";
import { useRowKeys } from "../../parts/row-keys";
import { Time } from "../../parts/time";
import { bytes, count, shortened, timeOf, visible } from "../../words";
import { percent } from "../task/samples";
import { PROPLET_KEYS, PropletActions, usePropletAsk } from "./acting";
import { useUsage } from "./fleet-query";
import { LivenessState } from "./liveness";
import { livenessOf, type PropletView, tagsOf } from "./proplets";

const ROW_PX = 50;
/** On a phone each row is a card. */
const CARD_PX = 132;

const phone = matchMedia("(max-width: 760px)");

function subscribe(listener: () => void): () => void {
  phone.addEventListener("change", listener);
  return () => phone.removeEventListener("change", listener);
}

export function FleetTable({ proplets }: { proplets: readonly PropletView[] }): ReactNode {
  const table = useRef<HTMLTableElement>(null);
  const [top, setTop] = useState(0);
  const ask = usePropletAsk();
  const acts = useMemo(
    () =>
      PROPLET_KEYS.map(({ keys, text, action }) => ({
        keys,
        text,
        act: ([id]: readonly string[]) => {
          const proplet = proplets.find((one) => one.id === id);
          if (proplet) ask(action, proplet);
        },
      })),
    [proplets, ask],
  );
  useRowKeys("Proplets", table, undefined, acts);
  useLayoutEffect(() => {
    const main = document.getElementById("main");
    if (table.current === null || main === null) return;
    setTop(table.current.getBoundingClientRect().top - main.getBoundingClientRect().top + main.scrollTop);
  }, []);
  const isPhone = useSyncExternalStore(subscribe, () => phone.matches);
  const list = useVirtualizer({
    count: proplets.length,
    getScrollElement: () => document.getElementById("main"),
    estimateSize: () => (isPhone ? CARD_PX : ROW_PX),
    scrollMargin: top,
    overscan: 8,
  });
  // biome-ignore lint/correctness/useExhaustiveDependencies: heights follow from this
  useLayoutEffect(() => list.measure(), [isPhone]);
  const rows = list.getVirtualItems();
  const above = (rows[0]?.start ?? top) - top;
  const below = list.getTotalSize() - ((rows.at(-1)?.end ?? top) - top);
  return (
    <div className="card fleet-table">
      <table className="list" ref={table} aria-rowcount={proplets.length + 1}>
        <caption className="only-read">Proplets</caption>
        <thead>
          <tr>
            <th scope="col">Proplet</th>
            <th scope="col">State</th>
            <th scope="col">Slots</th>
            <th scope="col" data-number>
              CPU
            </th>
            <th scope="col" data-number>
              Memory
            </th>
            <th scope="col">Last contact</th>
            <th scope="col">Tags</th>
            <th scope="col">
              <span className="only-read">Actions</span>
            </th>
          </tr>
        </thead>
        <tbody>
          <Space height={above} />
          {rows.map((row) => {
            const proplet = proplets[row.index];
            return proplet && <Row key={proplet.id} proplet={proplet} at={row.index} />;
          })}
          <Space height={below} />
        </tbody>
      </table>
    </div>
  );
}

function Space({ height }: { height: number }): ReactNode {
  if (height <= 0) return null;
  return (
    <tr className="fleet-space">
      <td colSpan={8} style={{ height }} />
    </tr>
  );
}

function Row({ proplet, at }: { proplet: PropletView; at: number }): ReactNode {
  const usage = useUsage(proplet.id);
  const tags = tagsOf(proplet);
  const slots = `${count(proplet.task_count)} of ${count(proplet.slots)} slots are taken`;
  const liveness = livenessOf(proplet);
  const drainBy = timeOf(proplet.drain_by);
  return (
    <tr aria-rowindex={at + 2} data-id={proplet.id}>
      <th scope="row">
        <Link href={`/proplets/${encodeURIComponent(proplet.id)}`} title={visible(proplet.id)}>
          {shortened(visible(proplet.name || proplet.id), 32)}
        </Link>
        <span className="quiet fleet-host">{shortened(visible(proplet.metadata.hostname ?? ""), 24)}</span>
      </th>
      <td data-title="State">
        <LivenessState of={liveness} />
        {liveness === "draining" && (
          <span className="quiet">
            {" "}
            until <Time at={drainBy} />
          </span>
        )}
      </td>
      <td data-title="Slots">
        <span className="fleet-slots number">
          <Meter value={proplet.task_count} of={proplet.slots} label={slots} />
          {count(proplet.task_count)} of {count(proplet.slots)}
        </span>
      </td>
      <td data-number data-title="CPU" className="number">
        {usage && liveness !== "lost" ? percent(usage.cpu) : "–"}
      </td>
      <td data-number data-title="Memory" className="number">
        {usage && liveness !== "lost" ? bytes(usage.memory) : "–"}
      </td>
      <td data-title="Last contact">
        <Time at={timeOf(proplet.last_alive_at)} relative />
      </td>
      <td data-title="Tags" title={visible(tags.join(", "))}>
        <span className="fleet-tags">
          {tags.slice(0, 3).map((tag) => (
            <span key={tag} className="tag">
              {shortened(visible(tag), 18)}
            </span>
          ))}
          {tags.length > 3 && <span className="quiet">+{tags.length - 3}</span>}
        </span>
      </td>
      <td className="fleet-actions">
        <PropletActions proplet={proplet} isQuiet />
      </td>
    </tr>
  );
}

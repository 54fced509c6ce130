// The rows of events: a table of which only what is in sight is drawn.

import { useVirtualizer } from "@tanstack/react-virtual";
import { memo, type ReactNode, useRef } from "react";
import { Link } from "wouter";
import { PropletLink } from "../../parts/proplet-link";
import { State } from "../../parts/state";
import { firstLine, utc, visible } from "../../words";
import type { EventRow } from "./flow";
import "../../parts/list.css";

const ROW_PX = 34;
const EXACT = new Intl.DateTimeFormat(undefined, {
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  fractionalSecondDigits: 3,
});

export function EventTable(props: {
  rows: readonly EventRow[];
  /** Told whether the reader has gone down from the newest. */
  onAway: (isAway: boolean) => void;
}): ReactNode {
  const { rows, onAway } = props;
  const place = useRef<HTMLDivElement>(null);
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => place.current,
    estimateSize: () => ROW_PX,
    getItemKey: (at) => rows[at]?.id ?? at,
    overscan: 12,
  });
  const items = virtual.getVirtualItems();
  const above = items[0]?.start ?? 0;
  const below = virtual.getTotalSize() - (items.at(-1)?.end ?? 0);
  return (
    <section
      ref={place}
      className="events-place card"
      aria-label="Events"
      // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reached by keys
      tabIndex={0}
      onScroll={(event) => onAway(event.currentTarget.scrollTop > ROW_PX)}
    >
      <table className="list rows events" aria-rowcount={rows.length + 1}>
        <caption className="only-read">Events, the newest first</caption>
        <thead>
          <tr>
            <th scope="col">Time</th>
            <th scope="col">State</th>
            <th scope="col">Task</th>
            <th scope="col">Workflow or job</th>
            <th scope="col">Proplet</th>
            <th scope="col">Why</th>
          </tr>
        </thead>
        <tbody className="events-space" style={{ height: above }} />
        <tbody>
          {items.map((item) => {
            const row = rows[item.index];
            return (
              row && (
                <Row
                  key={item.key}
                  row={row}
                  index={item.index + 2}
                  measure={virtual.measureElement}
                  at={item.index}
                />
              )
            );
          })}
        </tbody>
        <tbody className="events-space" style={{ height: below }} />
      </table>
    </section>
  );
}

type RowProps = {
  row: EventRow;
  /** In the table, from 1 for the head. */
  index: number;
  at: number;
  measure: (element: Element | null) => void;
};

const Row = memo(function Row({ row, index, at, measure }: RowProps): ReactNode {
  const { taskId, name, groupKind, groupId, propletId, why } = row;
  return (
    <tr aria-rowindex={index} data-index={at} ref={measure}>
      <td>
        <time className="number" dateTime={new Date(row.at).toISOString()} title={utc(row.at)}>
          {EXACT.format(row.at)}
        </time>
      </td>
      <td>
        <State state={row.state} />
      </td>
      <th scope="row">
        <span className="row-name">
          <Link href={`/tasks/${encodeURIComponent(taskId)}`} title={visible(taskId)}>
            {visible(taskId)}
          </Link>
          <span className="quiet">
            {name !== taskId && visible(name)}
            {row.attempt > 1 && ` attempt ${row.attempt}`}
          </span>
        </span>
      </th>
      <td>
        {groupId && (
          <Link href={`/${groupKind}s/${encodeURIComponent(groupId)}`} title={visible(groupId)}>
            {visible(groupId)}
          </Link>
        )}
      </td>
      <td>{propletId && <PropletLink id={propletId} />}</td>
      <td className={row.isBad ? "events-bad" : "quiet"} title={visible(why)}>
        {visible(firstLine(why))}
      </td>
    </tr>
  );
});

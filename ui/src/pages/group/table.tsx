// All tasks of a workflow or job as a table; only the rows in sight are in the document.

import { useVirtualizer } from "@tanstack/react-virtual";
import { memo, type ReactNode, useEffect, useMemo, useRef, useState } from "react";
import { Button } from "react-aria-components";
import { managerNow } from "../../live/manager-clock";
import { useKeys } from "../../parts/keys";
import { Empty } from "../../parts/messages";
import { State } from "../../parts/state";
import { Time, Took } from "../../parts/time";
import { RUNNING } from "../../states";
import { count, visible } from "../../words";
import { findStates, findText } from "./finding";
import type { GroupModel } from "./model";
import { usePropletNames } from "./proplet_names";
import { COLUMNS, type Column, type Order, rowsOf } from "./rows";
import { at } from "./structure";
import { useCalm, type ViewProps } from "./views";
import "./table.css";

const ROW_PX = 36;
/** Rows change their places at most that often, so that nobody clicks on the wrong one. */
const ORDER_MS = 1_000;
const TITLES: Record<Column, string> = {
  task: "Task",
  function: "Function",
  state: "State",
  started: "Started",
  took: "Took",
  attempts: "Attempt",
  proplet: "Proplet",
};

export function TableView({ model, version, address, change, selected, select }: ViewProps): ReactNode {
  const [order, setOrder] = useState<Order>(null);
  const calm = useCalm(version, ORDER_MS);
  const nameOf = usePropletNames();
  const hits = useMemo(() => findText(model.structure, address.text), [model.structure, address.text]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: the states in the model change with the version
  const rows = useMemo(
    () => rowsOf(model, [hits, findStates(model, address.states)], order, managerNow(), nameOf),
    [model, hits, address.states, order, calm, nameOf],
  );
  const scroller = useRef<HTMLDivElement>(null);
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => ROW_PX,
    overscan: 12,
  });
  const position = useMemo(() => (selected === null ? -1 : rows.indexOf(selected)), [rows, selected]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: only another selection moves the rows
  useEffect(() => {
    if (position >= 0) virtual.scrollToIndex(position, { align: "auto" });
  }, [selected]);
  const keys = useMemo(() => {
    const step = (far: number): void => {
      const next = rows[Math.max(0, Math.min(rows.length - 1, position + far))];
      if (next !== undefined) select(next);
    };
    return [
      { keys: "j", text: "Next task", act: () => step(1) },
      { keys: "k", text: "Task before", act: () => step(-1) },
      { keys: "Escape", text: "Select none", act: () => select(null) },
    ];
  }, [rows, position, select]);
  useKeys("Table", keys);
  const sort = (column: Column): void => {
    if (order?.column !== column) setOrder({ column, isDown: false });
    else setOrder(order.isDown ? null : { column, isDown: true });
  };
  const items = virtual.getVirtualItems();
  const before = items[0]?.start ?? 0;
  const after = virtual.getTotalSize() - (items[items.length - 1]?.end ?? 0);
  return (
    <div className="tasks-scroller" ref={scroller}>
      <table className="list tasks-table" aria-rowcount={rows.length + 1}>
        <thead>
          <tr>
            {COLUMNS.map((column) => (
              <th key={column} data-column={column} aria-sort={sortOf(order, column)} scope="col">
                <Button className="sort" onPress={() => sort(column)}>
                  {TITLES[column]}
                  <span aria-hidden="true">
                    {order?.column === column ? (order.isDown ? " ↓" : " ↑") : ""}
                  </span>
                </Button>
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {before > 0 && <tr style={{ height: before }} />}
          {items.map((item) => {
            const place = at(rows, item.index);
            return (
              <Row
                key={place}
                model={model}
                place={place}
                number={item.index + 2}
                isSelected={place === selected}
                stamp={stampOf(model, place)}
                select={select}
                nameOf={nameOf}
              />
            );
          })}
          {after > 0 && <tr style={{ height: after }} />}
        </tbody>
      </table>
      {rows.length === 0 && (
        <Empty title="No task matches">
          <Button className="button" onPress={() => change({ text: "", states: [] })}>
            Show all {count(model.structure.count)}
          </Button>
        </Empty>
      )}
    </div>
  );
}

function sortOf(order: Order, column: Column): "ascending" | "descending" | "none" {
  if (order?.column !== column) return "none";
  return order.isDown ? "descending" : "ascending";
}

/** Sum up all of a task that its row shows, so that only rows that changed are drawn. */
function stampOf(model: GroupModel, place: number): string {
  const { states, attempts, proplets, started, finished } = model;
  return `${states[place]} ${attempts[place]} ${proplets[place]} ${started[place]} ${finished[place]}`;
}

const Row = memo(function Row({
  model,
  place,
  number,
  isSelected,
  select,
  nameOf,
}: {
  model: GroupModel;
  place: number;
  number: number;
  isSelected: boolean;
  stamp: string;
  select: (place: number) => void;
  nameOf: (proplet: string) => string;
}): ReactNode {
  const { structure, states, attempts, proplets, propletIds, started, finished } = model;
  const id = visible(structure.ids[place] as string);
  const name = visible(structure.names[place] as string);
  const proplet = visible(nameOf(propletIds[at(proplets, place)] ?? ""));
  const isTimed = at(finished, place) > 0 || at(states, place) === RUNNING;
  return (
    <tr aria-rowindex={number} aria-selected={isSelected} onClick={() => select(place)}>
      <th scope="row" data-column="task" title={id}>
        <button type="button" className="row-button" onClick={() => select(place)}>
          {id}
        </button>
      </th>
      <td data-column="function" title={name}>
        {name}
      </td>
      <td data-column="state">
        <State state={at(states, place)} />
      </td>
      <td data-column="started">
        <Time at={at(started, place)} />
      </td>
      <td data-column="took">
        {isTimed ? (
          <Took from={at(started, place)} to={at(finished, place)} />
        ) : (
          <span className="quiet">–</span>
        )}
      </td>
      <td data-column="attempts" className="number">
        {at(attempts, place) || <span className="quiet">–</span>}
      </td>
      <td data-column="proplet" title={proplet}>
        {proplet || <span className="quiet">–</span>}
      </td>
    </tr>
  );
});

// A list as a table: its rows can be walked, opened and selected by keys, and on a phone each row is a card.

import { type ReactNode, useMemo, useRef } from "react";
import { count } from "../words";
import { parted, useHold } from "./hold";
import { type RowKey, useRowKeys } from "./row-keys";
import type { Selection } from "./selection";
import "./list.css";

export type Column<Row> = {
  title: string;
  cell: (row: Row) => ReactNode;
  /** As CSS has it, such as "110px"; columns without one share what is left. */
  width?: string;
  isNumber?: boolean;
  /** The cell that names the row, with the link that Enter opens as its first one. */
  isHead?: boolean;
  /** Left out where there is little room. */
  isMinor?: boolean;
  /** A text that on a phone has a line of its own. */
  isText?: boolean;
};

export type ListTableProps<Row> = {
  /** What is listed, such as "Workflows". */
  caption: string;
  columns: readonly Column<Row>[];
  rows: readonly Row[];
  idOf: (row: Row) => string;
  /** How people know a row. */
  nameOf: (row: Row) => string;
  /** What was asked for. While somebody is at the list, its new rows wait, until something else is asked for. */
  question: string;
  selection?: Selection;
  /** What keys do to rows. */
  acts?: readonly RowKey[];
  /** True while rows of another question are shown until its answer is there. */
  isStale?: boolean;
};

export function ListTable<Row>(props: ListTableProps<Row>): ReactNode {
  const { caption, columns, idOf, selection } = props;
  const table = useRef<HTMLTableElement>(null);
  const ids = useMemo(() => props.rows.map(idOf), [props.rows, idOf]);
  const { held, release, ...hold } = useHold(ids, props.question, (selection?.ids.size ?? 0) > 0);
  const { shown: rows, waiting } = parted(props.rows, held, idOf);
  useRowKeys(caption, table, selection?.ids, props.acts);
  return (
    <div className="list-place card" aria-busy={props.isStale || undefined} {...hold}>
      {waiting > 0 && (
        <button type="button" className="list-waiting" onClick={release}>
          Show {count(waiting)} new
        </button>
      )}
      <table className="list rows" ref={table} data-stale={props.isStale || undefined}>
        <caption className="only-read">{caption}</caption>
        <colgroup>
          {selection && <col style={{ width: "38px" }} />}
          {columns.map((column) => (
            <col
              key={column.title}
              data-minor={column.isMinor || undefined}
              style={{ width: column.width }}
            />
          ))}
        </colgroup>
        <thead>
          <tr>
            {selection && (
              <td className="row-mark">
                <AllMark ids={rows.map(idOf)} selection={selection} />
              </td>
            )}
            {columns.map((column) => (
              <th key={column.title} scope="col" {...look(column)}>
                {column.title}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => {
            const id = idOf(row);
            return (
              <tr key={id} data-id={id} data-selected={selection?.ids.has(id) || undefined}>
                {selection && (
                  <td className="row-mark">
                    <RowMark id={id} name={props.nameOf(row)} selection={selection} />
                  </td>
                )}
                {columns.map((column) => (
                  <Cell key={column.title} column={column} row={row} />
                ))}
              </tr>
            );
          })}
        </tbody>
      </table>
    </div>
  );
}

function look<Row>(column: Column<Row>): Record<string, string | boolean | undefined> {
  return {
    "data-number": column.isNumber || undefined,
    "data-minor": column.isMinor || undefined,
    "data-text": column.isText || undefined,
    "data-title": column.title,
  };
}

function Cell<Row>({ column, row }: { column: Column<Row>; row: Row }): ReactNode {
  const content = column.cell(row);
  return column.isHead ? (
    <th scope="row" {...look(column)}>
      {content}
    </th>
  ) : (
    <td {...look(column)}>{content}</td>
  );
}

function RowMark({ id, name, selection }: { id: string; name: string; selection: Selection }): ReactNode {
  return (
    <input
      type="checkbox"
      aria-label={`Select ${name}`}
      checked={selection.ids.has(id)}
      onChange={(event) => {
        const { nativeEvent, target } = event;
        selection.mark(id, target.checked, nativeEvent instanceof MouseEvent && nativeEvent.shiftKey);
      }}
    />
  );
}

function AllMark({ ids, selection }: { ids: readonly string[]; selection: Selection }): ReactNode {
  const isAll = ids.length > 0 && selection.ids.size === ids.length;
  return (
    <input
      type="checkbox"
      aria-label="Select all that are shown"
      checked={isAll}
      disabled={ids.length === 0}
      ref={(box) => {
        if (box) box.indeterminate = !isAll && selection.ids.size > 0;
      }}
      onChange={(event) => selection.select(event.target.checked ? ids : [])}
    />
  );
}

// Keys that walk over the rows of a table, and do something to them. The focus itself is the place, on the link of a
// row; the table gives each row its id as `data-id`.

import { useMemo } from "react";
import { type Key, useKeys } from "./keys";

export type RowKey = {
  keys: string;
  text: string;
  /** Gets the rows that are selected, or else the one that has the focus. */
  act: (ids: readonly string[]) => void;
};

type Table = { current: HTMLTableElement | null };

const NONE: readonly RowKey[] = [];
const NOT_SELECTABLE: ReadonlySet<string> = new Set();

/**
 * Take the keys of a table while it is on the page.
 *
 * @param selected the ids of the rows that are selected, where rows have a box for it
 * @param acts should be kept by useMemo
 */
export function useRowKeys(
  title: string,
  table: Table,
  selected: ReadonlySet<string> | undefined,
  acts: readonly RowKey[] = NONE,
): void {
  const isSelectable = selected !== undefined;
  const marked = selected ?? NOT_SELECTABLE;
  const walking = useMemo(() => walkingKeys(table, isSelectable), [table, isSelectable]);
  const acting = useMemo(
    () =>
      acts.map((one) => ({
        ...one,
        act: () => {
          const ids = rowsOf(table).map((row) => row.dataset.id ?? "");
          const chosen = marked.size > 0 ? ids.filter((id) => marked.has(id)) : ids.slice(...present(table));
          if (chosen.length > 0) one.act(chosen);
        },
      })),
    [table, marked, acts],
  );
  useKeys(
    title,
    useMemo(() => [...walking, ...acting], [walking, acting]),
  );
}

function rowsOf(table: Table): HTMLTableRowElement[] {
  return [...(table.current?.tBodies[0]?.rows ?? [])].filter((row) => row.dataset.id !== undefined);
}

function placeOf(table: Table): number {
  return rowsOf(table).findIndex((row) => row.contains(document.activeElement));
}

/** Give the ends of a slice with just the row that has the focus; of none if no row has. */
function present(table: Table): [number, number] {
  const place = placeOf(table);
  return place < 0 ? [0, 0] : [place, place + 1];
}

function walkingKeys(table: Table, isSelectable: boolean): readonly Key[] {
  const walk = (by: number): void => {
    const all = rowsOf(table);
    const next = Math.min(Math.max(placeOf(table) + by, 0), all.length - 1);
    all[next]?.querySelector<HTMLElement>("th a")?.focus();
  };
  const mark = (): void => {
    rowsOf(table)[placeOf(table)]?.querySelector<HTMLInputElement>("input[type=checkbox]")?.click();
  };
  return [
    { keys: "j", text: "Next row", act: () => walk(1) },
    { keys: "k", text: "Row before", act: () => walk(-1) },
    { keys: "Enter", text: "Open the row" },
    ...(isSelectable ? [{ keys: "Space", text: "Select the row, or take it out again", act: mark }] : []),
  ];
}

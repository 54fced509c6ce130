// Where the slots of the fleet are on its map: a block for each proplet, with a cell for each slot.

import type { PropletView, RunningTask } from "./proplets";

/** Of larger proplets the first slots are cells, and the rest is a number. */
export const CELLS_MAX = 64;

/** The sizes of a map in pixels; the more proplets there are, the smaller it is. */
export type Measures = {
  name: "large" | "medium" | "small";
  cell: number;
  gap: number;
  /** Around the cells of a block. */
  pad: number;
  /** Above the cells, for the name; 0 for none. */
  head: number;
  /** Between two blocks. */
  between: number;
  /** Cells in a line of a block. */
  inLine: number;
};

const LARGE_MAX = 60;
const MEDIUM_MAX = 250;

export function measuresFor(proplets: readonly PropletView[]): Measures {
  const most = Math.min(CELLS_MAX, Math.max(1, ...proplets.map(cellsOf)));
  if (proplets.length <= LARGE_MAX) {
    return { name: "large", cell: 20, gap: 3, pad: 12, head: 48, between: 12, inLine: 8 };
  }
  if (proplets.length <= MEDIUM_MAX) {
    return { name: "medium", cell: 13, gap: 2, pad: 8, head: 20, between: 8, inLine: 8 };
  }
  return { name: "small", cell: 9, gap: 1, pad: 4, head: 0, between: 4, inLine: most <= 12 ? 4 : 8 };
}

/** Give how many cells a proplet has: one for each slot, and for each task beyond them. */
export function cellsOf(proplet: PropletView): number {
  return Math.min(CELLS_MAX, Math.max(proplet.slots, proplet.running?.length ?? 0, 1));
}

export function taskIn(proplet: PropletView, cell: number): RunningTask | undefined {
  return proplet.running?.[cell];
}

export function widthOf(measures: Measures): number {
  return measures.inLine * (measures.cell + measures.gap) - measures.gap + 2 * measures.pad;
}

export function heightOf(measures: Measures, cells: number): number {
  const lines = Math.ceil(cells / measures.inLine);
  return measures.head + lines * (measures.cell + measures.gap) - measures.gap + 2 * measures.pad;
}

/** Give how many blocks are in a row of so many pixels, at least one. */
export function inRow(measures: Measures, width: number): number {
  return Math.max(1, Math.floor((width + measures.between) / (widthOf(measures) + measures.between)));
}

/** Give where a cell is in its block: its upper left corner. */
export function placeOf(measures: Measures, cell: number): { x: number; y: number } {
  const step = measures.cell + measures.gap;
  return {
    x: measures.pad + (cell % measures.inLine) * step,
    y: measures.head + measures.pad + Math.floor(cell / measures.inLine) * step,
  };
}

/** Give the cell at a place in a block; -1 for none. The gap behind a cell belongs to it, so that none is missed. */
export function cellAt(measures: Measures, cells: number, x: number, y: number): number {
  const step = measures.cell + measures.gap;
  const column = Math.floor((x - measures.pad) / step);
  const line = Math.floor((y - measures.head - measures.pad) / step);
  if (column < 0 || column >= measures.inLine || line < 0) return -1;
  const cell = line * measures.inLine + column;
  return cell < cells ? cell : -1;
}

/** Draw cells as one path. */
export function pathOf(measures: Measures, cells: readonly number[]): string {
  const { cell: side } = measures;
  return cells
    .map((cell) => {
      const { x, y } = placeOf(measures, cell);
      return `M${x} ${y}h${side}v${side}h${-side}z`;
    })
    .join("");
}

export type Cursor = { proplet: number; cell: number };

/** Give where an arrow key leads: along the cells, and over the edge of a block to its neighbour. */
export function moved(
  cursor: Cursor,
  key: string,
  proplets: readonly PropletView[],
  measures: Measures,
  perRow: number,
): Cursor {
  const last = proplets.length - 1;
  const cells = cellsAt(proplets, cursor.proplet);
  const { inLine } = measures;
  const to = (proplet: number, cell: number): Cursor => {
    const bounded = Math.min(Math.max(proplet, 0), last);
    if (bounded !== proplet && Math.abs(proplet - bounded) >= 1) return cursor;
    return { proplet: bounded, cell: Math.min(Math.max(cell, 0), cellsAt(proplets, bounded) - 1) };
  };
  switch (key) {
    case "ArrowRight":
      return cursor.cell + 1 < cells ? to(cursor.proplet, cursor.cell + 1) : to(cursor.proplet + 1, 0);
    case "ArrowLeft":
      return cursor.cell > 0
        ? to(cursor.proplet, cursor.cell - 1)
        : to(cursor.proplet - 1, cellsAt(proplets, cursor.proplet - 1) - 1);
    case "ArrowDown":
      return cursor.cell + inLine < cells
        ? to(cursor.proplet, cursor.cell + inLine)
        : to(cursor.proplet + perRow, cursor.cell % inLine);
    case "ArrowUp":
      return cursor.cell >= inLine
        ? to(cursor.proplet, cursor.cell - inLine)
        : to(
            cursor.proplet - perRow,
            lastLine(cellsAt(proplets, cursor.proplet - perRow), inLine) + (cursor.cell % inLine),
          );
    case "Home":
      return to(0, 0);
    case "End":
      return to(last, cellsAt(proplets, last) - 1);
    default:
      return cursor;
  }
}

function lastLine(cells: number, inLine: number): number {
  return Math.floor((cells - 1) / inLine) * inLine;
}

function cellsAt(proplets: readonly PropletView[], at: number): number {
  const proplet = proplets[at];
  return proplet ? cellsOf(proplet) : 1;
}

// Makes the picture of a graph: what is folded into which box, where each box lies, how edges go. Pure; the worker runs it.

import { type Boxes, fold } from "./fold";
import { GAP_BAND, GAP_X, layered, type Placed } from "./layers";
import { byDagre } from "./layout_dagre";
import { at, type Lists, listsOf } from "./structure";

export type LayoutInput = {
  count: number;
  edges: Int32Array;
  /** What each task has in common with others, as a number. */
  patterns: Int32Array;
  /** First tasks of the boxes that are open. */
  open: readonly number[];
  /** Width of the place where the graph is shown, divided by its height. */
  aspect: number;
};

export type Layout = {
  boxes: number;
  boxOf: Int32Array;
  members: Lists;
  x: Float32Array;
  y: Float32Array;
  w: Float32Array;
  h: Float32Array;
  /** Columns of the grid in a box that is open; 0 for others. */
  columns: Int32Array;
  /** Boxes in pairs: a parent, its child. */
  edges: Int32Array;
  parents: Lists;
  children: Lists;
  /** The points of the edges one behind the other, x and y. Those of edge i begin at `2 * bends.start[i]`. */
  points: Float32Array;
  pointStart: Int32Array;
  width: number;
  height: number;
};

export const BOX_WIDTH = 196;
export const BOX_HEIGHT = 44;
export const FOLDED_HEIGHT = 62;
/** Of an open box: its head, its edge, and the cells with the gap behind them. */
export const OPEN_HEAD = 34;
export const OPEN_EDGE = 10;
export const CELL = 14;
export const CELL_PITCH = 17;
/** An open box is about that much wider than high. */
const OPEN_ASPECT = 1.8;
/** Dagre crosses fewer edges, and takes seconds for more boxes than these. */
const DAGRE_BOXES_MAX = 400;
const DAGRE_EDGES_MAX = 1_500;
/** A longer graph is cut into bands, which Dagre doesn't do. */
const DAGRE_DEPTH_MAX = 24;
/** Dagre stacks a wide layer in one column. Where that makes all this much smaller, our own layers do better. */
const SMALLER_MAX = 1.4;

export function layOut(input: LayoutInput): Layout {
  const { count, edges } = input;
  const boxes = fold(
    { count, edges, parents: listsOf(count, edges, 1), children: listsOf(count, edges, 0) },
    input.patterns,
  );
  const { w, h, columns } = sizesOf(boxes, new Set(input.open));
  const parents = listsOf(boxes.count, boxes.edges, 1);
  const children = listsOf(boxes.count, boxes.edges, 0);
  const sizes = { widths: w, heights: h };
  const isForDagre =
    boxes.count <= DAGRE_BOXES_MAX && boxes.edges.length > 0 && boxes.edges.length <= DAGRE_EDGES_MAX * 2;
  const dense = layered(boxes.count, boxes.edges, sizes, input.aspect);
  const fine = isForDagre ? byDagre(boxes.count, boxes.edges, sizes, DAGRE_DEPTH_MAX) : null;
  const isFineSmaller =
    fine !== null && zoomOf(fine, input.aspect) * SMALLER_MAX < zoomOf(dense, input.aspect);
  const placed = fine === null || isFineSmaller ? dense : fine;
  const bends = fine !== null && placed === fine ? fine : bendsOf(boxes.edges, placed, w, h);
  return {
    boxes: boxes.count,
    boxOf: boxes.boxOf,
    members: boxes.members,
    x: placed.x,
    y: placed.y,
    w,
    h,
    columns,
    edges: boxes.edges,
    parents,
    children,
    points: bends.points,
    pointStart: bends.pointStart,
    width: placed.width,
    height: placed.height,
  };
}

/** Give how large a layout is on a screen of 1000 px that shows all of it; none is larger than it is. */
function zoomOf({ width, height }: Placed, aspect: number): number {
  return Math.min(0.9, 1000 / width, 1000 / aspect / height);
}

function sizesOf(
  { count, members }: Boxes,
  open: ReadonlySet<number>,
): { w: Float32Array; h: Float32Array; columns: Int32Array } {
  const w = new Float32Array(count);
  const h = new Float32Array(count);
  const columns = new Int32Array(count);
  for (let box = 0; box < count; box++) {
    const first = at(members.start, box);
    const size = at(members.start, box + 1) - first;
    w[box] = BOX_WIDTH;
    h[box] = size > 1 ? FOLDED_HEIGHT : BOX_HEIGHT;
    // A box that is all there is has nothing to say as long as it is closed.
    if (size > 1 && (count === 1 || open.has(at(members.items, first)))) {
      const across = Math.max(Math.ceil(Math.sqrt(size * OPEN_ASPECT)), Math.ceil(BOX_WIDTH / CELL_PITCH));
      columns[box] = across;
      w[box] = across * CELL_PITCH - (CELL_PITCH - CELL) + OPEN_EDGE * 2;
      h[box] = Math.ceil(size / across) * CELL_PITCH - (CELL_PITCH - CELL) + OPEN_HEAD + OPEN_EDGE;
    }
  }
  return { w, h, columns };
}

/** Lead edges from the right side of the parent to the left side of the child; between bands through the gap. */
function bendsOf(
  edges: Int32Array,
  { x, y, bands, bandTops }: Placed,
  w: Float32Array,
  h: Float32Array,
): { points: Float32Array; pointStart: Int32Array } {
  const count = edges.length / 2;
  const pointStart = new Int32Array(count + 1);
  for (let edge = 0; edge < count; edge++) {
    const isInBand = at(bands, at(edges, edge * 2)) === at(bands, at(edges, edge * 2 + 1));
    pointStart[edge + 1] = at(pointStart, edge) + (isInBand ? 2 : 6);
  }
  const points = new Float32Array(at(pointStart, count) * 2);
  for (let edge = 0; edge < count; edge++) {
    const parent = at(edges, edge * 2);
    const child = at(edges, edge * 2 + 1);
    const begin = at(pointStart, edge) * 2;
    const right = at(x, parent) + at(w, parent);
    const from = at(y, parent) + at(h, parent) / 2;
    const left = at(x, child);
    const to = at(y, child) + at(h, child) / 2;
    if (at(pointStart, edge + 1) - at(pointStart, edge) === 2) {
      points.set([right, from, left, to], begin);
    } else {
      const gap = at(bandTops, at(bands, child)) - GAP_BAND / 2;
      const out = right + GAP_X / 3;
      const back = left - GAP_X / 3;
      points.set([right, from, out, from, out, gap, back, gap, back, to, left, to], begin);
    }
  }
  return { points, pointStart };
}

// Lays out boxes in layers from left to right: as deep as the longest path, ordered so that edges cross little. Takes
// time in proportion to boxes and edges, so that it does for tens of thousands.

import { depthsOf } from "./fold";
import { at, type Lists, listsOf } from "./structure";

export type Sizes = { widths: Float32Array; heights: Float32Array };
export type Placed = {
  x: Float32Array;
  y: Float32Array;
  width: number;
  height: number;
  /** The row of layers that a box is in, where a long graph goes on below itself as a text does. */
  bands: Int32Array;
  /** Where each band begins. */
  bandTops: Float32Array;
};

export const GAP_X = 64;
export const GAP_Y = 14;
export const GAP_BAND = 56;
const SWEEPS = 4;
const ALIGNMENTS = 3;
/** A layout is cut into bands when it is that much longer than the place where it is shown. */
const LENGTH_MAX = 3;
/** A layer may always be that high before it takes several columns, px. */
const HEIGHT_MIN = 900;

type Column = { boxes: Int32Array; width: number; height: number; isWhole: boolean };

/**
 * Place boxes.
 *
 * @param aspect width of the place where they are shown, divided by its height
 */
export function layered(count: number, edges: Int32Array, sizes: Sizes, aspect: number): Placed {
  const parents = listsOf(count, edges, 1);
  const children = listsOf(count, edges, 0);
  const layers = byLayer(pulled(depthsOf(count, parents, children), parents, children));
  ordered(layers, count, parents, children);
  const columns = columnsOf(layers, sizes, aspect);
  const y = aligned(columns, count, parents, children, sizes);
  return banded(columns, y, count, sizes, aspect);
}

/** Move boxes without parents next to the first of their children. */
function pulled(depths: Int32Array, parents: Lists, children: Lists): Int32Array {
  for (let box = 0; box < depths.length; box++) {
    if (at(parents.start, box + 1) > at(parents.start, box)) continue;
    let first = Number.POSITIVE_INFINITY;
    for (let next = at(children.start, box); next < at(children.start, box + 1); next++) {
      first = Math.min(first, at(depths, at(children.items, next)));
    }
    if (Number.isFinite(first)) depths[box] = first - 1;
  }
  return depths;
}

function byLayer(depths: Int32Array): Int32Array[] {
  let last = 0;
  for (const depth of depths) last = Math.max(last, depth);
  const lengths = new Int32Array(last + 1);
  for (const depth of depths) lengths[depth] = at(lengths, depth) + 1;
  const layers = Array.from(lengths, (length) => new Int32Array(length));
  lengths.fill(0);
  for (let box = 0; box < depths.length; box++) {
    const depth = at(depths, box);
    (layers[depth] as Int32Array)[at(lengths, depth)] = box;
    lengths[depth] = at(lengths, depth) + 1;
  }
  return layers;
}

/** Order each layer by the mean place of its neighbours, a few times down and up. */
function ordered(layers: Int32Array[], count: number, parents: Lists, children: Lists): void {
  const places = new Float64Array(count);
  const place = (layer: Int32Array): void => {
    for (let index = 0; index < layer.length; index++)
      places[at(layer, index)] = (index + 0.5) / layer.length;
  };
  for (const layer of layers) place(layer);
  const keys = new Float64Array(count);
  for (let sweep = 0; sweep < SWEEPS; sweep++) {
    const isDown = sweep % 2 === 0;
    for (let step = 0; step < layers.length; step++) {
      const layer = layers[isDown ? step : layers.length - 1 - step] as Int32Array;
      if (layer.length < 2) continue;
      for (const box of layer) keys[box] = meanOf(isDown ? parents : children, box, places);
      layer.sort((one, other) => at(keys, one) - at(keys, other) || at(places, one) - at(places, other));
      place(layer);
    }
  }
}

/** Give the mean of a value over neighbours; its own value for a box that has none. */
function meanOf({ start, items }: Lists, box: number, values: Float64Array): number {
  const begin = at(start, box);
  const end = at(start, box + 1);
  if (begin === end) return at(values, box);
  let sum = 0;
  for (let next = begin; next < end; next++) sum += at(values, at(items, next));
  return sum / (end - begin);
}

/** Make columns of layers; a layer that is too high takes several. */
function columnsOf(layers: readonly Int32Array[], sizes: Sizes, aspect: number): Column[] {
  let area = 0;
  for (const layer of layers) {
    for (const box of layer) area += (at(sizes.widths, box) + GAP_X / 3) * (at(sizes.heights, box) + GAP_Y);
  }
  const heightMax = Math.max(HEIGHT_MIN, Math.sqrt(area / aspect));
  const columns: Column[] = [];
  for (const layer of layers) {
    const height = heightOf(layer, sizes);
    const parts = Math.ceil(height / heightMax);
    const length = Math.ceil(layer.length / parts);
    for (let begin = 0; begin < layer.length; begin += length) {
      const boxes = layer.subarray(begin, begin + length);
      let width = 0;
      for (const box of boxes) width = Math.max(width, at(sizes.widths, box));
      const isLast = begin + length >= layer.length;
      columns.push({ boxes, width, height: heightOf(boxes, sizes), isWhole: isLast && begin === 0 });
    }
  }
  return columns;
}

function heightOf(boxes: Int32Array, { heights }: Sizes): number {
  let height = -GAP_Y;
  for (const box of boxes) height += at(heights, box) + GAP_Y;
  return height;
}

/** Give the middle of each box from top to bottom: close to its neighbours, in the order of its column. */
function aligned(
  columns: readonly Column[],
  count: number,
  parents: Lists,
  children: Lists,
  sizes: Sizes,
): Float64Array {
  const middles = new Float64Array(count);
  for (const { boxes, height } of columns) {
    let top = -height / 2;
    for (const box of boxes) {
      middles[box] = top + at(sizes.heights, box) / 2;
      top += at(sizes.heights, box) + GAP_Y;
    }
  }
  for (let round = 0; round < ALIGNMENTS; round++) {
    const isDown = round % 2 === 0;
    for (let step = 0; step < columns.length; step++) {
      const { boxes, isWhole } = columns[isDown ? step : columns.length - 1 - step] as Column;
      if (isWhole) spread(boxes, isDown ? parents : children, middles, sizes);
    }
  }
  return middles;
}

/**
 * Move the boxes of a column as near to their neighbours as their order and their heights let them: the least squares
 * of the distances, by joining those that would overlap into blocks.
 */
function spread(boxes: Int32Array, lists: Lists, middles: Float64Array, { heights }: Sizes): void {
  const wanted = Float64Array.from(boxes, (box) => meanOf(lists, box, middles));
  const sums: number[] = [];
  const lengths: number[] = [];
  let offset = 0;
  const offsets = new Float64Array(boxes.length);
  for (let index = 0; index < boxes.length; index++) {
    offset += at(heights, at(boxes, index)) / 2 + (index ? GAP_Y + at(heights, at(boxes, index - 1)) / 2 : 0);
    offsets[index] = offset;
    let sum = at(wanted, index) - offset;
    let length = 1;
    while (sums.length > 0 && at(sums, sums.length - 1) / at(lengths, lengths.length - 1) > sum / length) {
      sum += sums.pop() as number;
      length += lengths.pop() as number;
    }
    sums.push(sum);
    lengths.push(length);
  }
  let index = 0;
  for (let block = 0; block < sums.length; block++) {
    const mean = at(sums, block) / at(lengths, block);
    for (let left = at(lengths, block); left > 0; left--, index++) {
      middles[at(boxes, index)] = mean + at(offsets, index);
    }
  }
}

/** Set columns side by side; a row that is much too long goes on below, as a text does. */
function banded(
  columns: readonly Column[],
  middles: Float64Array,
  count: number,
  { heights }: Sizes,
  aspect: number,
): Placed {
  const gapAfter = (column: Column): number => (column.isWhole ? GAP_X : GAP_X / 3);
  let length = 0;
  let highest = 0;
  for (const column of columns) {
    length += column.width + gapAfter(column);
    highest = Math.max(highest, column.height);
  }
  const rows = Math.round(Math.sqrt(length / ((highest + GAP_BAND) * aspect)));
  const isLong = length > LENGTH_MAX * aspect * highest && rows > 1;
  const widthMax = isLong ? Math.max(length / rows, 1200) : Number.POSITIVE_INFINITY;
  const placed: Placed = {
    x: new Float32Array(count),
    y: new Float32Array(count),
    width: 0,
    height: 0,
    bands: new Int32Array(count),
    bandTops: new Float32Array(0),
  };
  const tops: number[] = [];
  let begin = 0;
  let top = 0;
  while (begin < columns.length) {
    let end = begin;
    let width = 0;
    let above = Number.POSITIVE_INFINITY;
    let below = Number.NEGATIVE_INFINITY;
    for (; end < columns.length && (width < widthMax || end === begin); end++) {
      const column = columns[end] as Column;
      for (const box of column.boxes) {
        above = Math.min(above, at(middles, box) - at(heights, box) / 2);
        below = Math.max(below, at(middles, box) + at(heights, box) / 2);
      }
      width += column.width + gapAfter(column);
    }
    let left = 0;
    for (; begin < end; begin++) {
      const column = columns[begin] as Column;
      for (const box of column.boxes) {
        placed.x[box] = left;
        placed.y[box] = top + at(middles, box) - at(heights, box) / 2 - above;
        placed.bands[box] = tops.length;
      }
      left += column.width + gapAfter(column);
    }
    tops.push(top);
    placed.width = Math.max(placed.width, width - GAP_X);
    placed.height = top + below - above;
    top = placed.height + GAP_BAND;
  }
  placed.bandTops = Float32Array.from(tops);
  return placed;
}

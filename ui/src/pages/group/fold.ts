// Folds a large graph: tasks that are alike and have parents and children that are alike become one box.
//
// The classes begin as coarse as they may be (the same name but for its numbers, the same condition, as deep and as
// high in the graph, about as many neighbours) and are split until all tasks of a class have parents in the same
// classes and children in the same classes. So a thousand chains of three become three boxes. All of a class are as deep, so the graph of boxes
// has no cycle.

import { at, type Lists, type Structure } from "./structure";

/** From more tasks than this a graph is folded. */
export const FOLD_FROM = 500;
/** Classes are split at most that often: what differs farther away than this makes no difference to the eye. */
const ROUNDS_MAX = 60;
/** With more classes than this for each task, nothing is folded. */
const ALIKE_NONE = 0.9;

export type Boxes = {
  count: number;
  /** Box of each task. */
  boxOf: Int32Array;
  /** The tasks of each box, in order. */
  members: Lists;
  /** Boxes in pairs: a parent, its child; each pair once. */
  edges: Int32Array;
};

export type FoldInput = { count: number; edges: Int32Array; parents: Lists; children: Lists };

/**
 * Number the patterns of tasks: what their ids and names have in common but for numbers.
 *
 * Ids that are random say nothing; then the name alone is the pattern.
 */
export function patternsOf({ count, ids, names, conditions }: Structure): Int32Array {
  const byId = numbered(
    count,
    (place) => `${pattern(ids[place] as string)}\n${names[place]}\n${conditions[place]}`,
  );
  if (byId.kinds * 10 <= count) return byId.numbers;
  return numbered(count, (place) => `${pattern(names[place] as string)}\n${conditions[place]}`).numbers;
}

const NUMBERS = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|\d+/g;

/** Put one sign in the place of each number or UUID of a text. */
export function pattern(text: string): string {
  return text.replace(NUMBERS, "*");
}

/** Give what two ids of one pattern have in common, with a sign for each number in which they differ. */
export function shared(one: string, other: string): string {
  if (pattern(one) !== pattern(other)) return pattern(one);
  const numbers = other.match(NUMBERS) ?? [];
  let next = 0;
  return one.replace(NUMBERS, (number) => (number === numbers[next++] ? number : "*"));
}

function numbered(count: number, keyOf: (place: number) => string): { numbers: Int32Array; kinds: number } {
  const kinds = new Map<string, number>();
  const numbers = new Int32Array(count);
  for (let place = 0; place < count; place++) {
    const key = keyOf(place);
    let kind = kinds.get(key);
    if (kind === undefined) {
      kind = kinds.size;
      kinds.set(key, kind);
    }
    numbers[place] = kind;
  }
  return { numbers, kinds: kinds.size };
}

/** Fold a graph into boxes; up to `from` tasks each is a box of its own. */
export function fold(input: FoldInput, patterns: Int32Array, from = FOLD_FROM): Boxes {
  const separate = Int32Array.from({ length: input.count }, (_, place) => place);
  if (input.count <= from) return boxesOf(input, separate);
  const depths = depthsOf(input.count, input.parents, input.children);
  const heights = depthsOf(input.count, input.children, input.parents);
  const firsts = new Splitter(input.count);
  for (let place = 0; place < input.count; place++) {
    const amounts = amountOf(input.parents, place) * 32 + amountOf(input.children, place);
    firsts.put(place, mix(mix(mix(at(patterns, place), at(depths, place)), at(heights, place)), amounts));
  }
  let classes = firsts.classes;
  let kinds = firsts.kinds;
  for (let round = 0; round < ROUNDS_MAX && kinds < input.count; round++) {
    const next = new Splitter(input.count);
    for (let place = 0; place < input.count; place++) {
      const above = signature(input.parents, place, classes);
      const below = signature(input.children, place, classes);
      next.put(place, mix(mix(at(classes, place), above), below));
    }
    if (next.kinds === kinds) break;
    ({ classes, kinds } = next);
    // Where hardly any are alike, folding some pairs would only hide them.
    if (kinds > input.count * ALIKE_NONE) return boxesOf(input, separate);
  }
  return boxesOf(input, classes);
}

/** Numbers the values that it is given, in the order in which they come. */
class Splitter {
  readonly classes: Int32Array;
  private readonly seen = new Map<number, number>();

  constructor(count: number) {
    this.classes = new Int32Array(count);
  }

  get kinds(): number {
    return this.seen.size;
  }

  put(place: number, value: number): void {
    let kind = this.seen.get(value);
    if (kind === undefined) {
      kind = this.seen.size;
      this.seen.set(value, kind);
    }
    this.classes[place] = kind;
  }
}

/** Give about how many neighbours a task has: 1 to 3, 4 to 15, 16 to 63 and so on count as the same. */
function amountOf({ start }: Lists, place: number): number {
  const amount = at(start, place + 1) - at(start, place);
  return amount === 0 ? 0 : 1 + ((31 - Math.clz32(amount)) >> 1);
}

const neighbours: number[] = [];

/** Sum up the set of the classes of a task's neighbours in one number. */
function signature({ start, items }: Lists, place: number, classes: Int32Array): number {
  neighbours.length = 0;
  for (let next = at(start, place); next < at(start, place + 1); next++) {
    neighbours.push(at(classes, at(items, next)));
  }
  if (neighbours.length > 1) neighbours.sort((a, b) => a - b);
  let sum = 1;
  let last = -1;
  for (const one of neighbours) {
    if (one !== last) sum = mix(sum, one);
    last = one;
  }
  return sum;
}

/** Mix two numbers into one of 52 bits, so that different pairs give different ones but for a chance of 2^-52. */
function mix(one: number, other: number): number {
  const low = one | 0;
  const high = (one / 0x1_0000_0000) | 0;
  let a = Math.imul(low ^ Math.imul(other + 0x9e37_79b9, 0x85eb_ca6b), 0xc2b2_ae35) ^ high;
  a ^= a >>> 15;
  let b = Math.imul(high ^ Math.imul(other + 0x7f4a_7c15, 0x27d4_eb2f), 0x1656_67b1) ^ low;
  b ^= b >>> 13;
  a = Math.imul(a ^ (b >>> 7), 0x2c1b_3c6d);
  b = Math.imul(b ^ (a >>> 12), 0x297a_2d39);
  return (a >>> 0) + ((b ^ (b >>> 15)) & 0xf_ffff) * 0x1_0000_0000;
}

/** Give how many edges lie at most between each task and one without parents. */
export function depthsOf(count: number, parents: Lists, children: Lists): Int32Array {
  const depths = new Int32Array(count);
  const waits = new Int32Array(count);
  const ready = new Int32Array(count);
  let end = 0;
  for (let place = 0; place < count; place++) {
    waits[place] = at(parents.start, place + 1) - at(parents.start, place);
    if (waits[place] === 0) ready[end++] = place;
  }
  for (let begin = 0; begin < end; begin++) {
    const place = at(ready, begin);
    for (let next = at(children.start, place); next < at(children.start, place + 1); next++) {
      const child = at(children.items, next);
      depths[child] = Math.max(at(depths, child), at(depths, place) + 1);
      waits[child] = at(waits, child) - 1;
      if (waits[child] === 0) ready[end++] = child;
    }
  }
  return depths;
}

/** Make boxes of classes; the boxes are in the order of their first tasks. */
function boxesOf({ count, edges }: FoldInput, classes: Int32Array): Boxes {
  const numbers = new Splitter(count);
  for (let place = 0; place < count; place++) numbers.put(place, at(classes, place));
  const boxOf = numbers.classes;
  const start = new Int32Array(numbers.kinds + 1);
  for (const box of boxOf) start[box + 1] = at(start, box + 1) + 1;
  for (let box = 0; box < numbers.kinds; box++) start[box + 1] = at(start, box + 1) + at(start, box);
  const items = new Int32Array(count);
  const next = start.slice(0, numbers.kinds);
  for (let place = 0; place < count; place++) {
    const box = at(boxOf, place);
    items[at(next, box)] = place;
    next[box] = at(next, box) + 1;
  }
  return {
    count: numbers.kinds,
    boxOf,
    members: { start, items },
    edges: edgesOfBoxes(edges, boxOf, numbers.kinds),
  };
}

function edgesOfBoxes(edges: Int32Array, boxOf: Int32Array, boxes: number): Int32Array {
  const seen = new Set<number>();
  const found = new Int32Array(edges.length);
  let end = 0;
  for (let edge = 0; edge < edges.length; edge += 2) {
    const parent = at(boxOf, at(edges, edge));
    const child = at(boxOf, at(edges, edge + 1));
    const key = parent * boxes + child;
    if (parent === child || seen.has(key)) continue;
    seen.add(key);
    found[end] = parent;
    found[end + 1] = child;
    end += 2;
  }
  return found.slice(0, end);
}

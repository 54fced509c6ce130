// A layout with the states of its tasks: what stands where, how many of which state are in each box.

import { COMPLETED, FAILED, INTERRUPTED, PENDING, RUNNING, SCHEDULED, SKIPPED, STATES } from "../../states";
import type { Rect } from "./camera";
import { pattern, shared } from "./fold";
import { CELL, CELL_PITCH, type Layout, OPEN_EDGE, OPEN_HEAD } from "./layout";
import type { Changed } from "./live";
import type { GroupModel } from "./model";
import { at, listed } from "./structure";

/** What lies at a point: a task, or a box of many. */
export type Hit = { box: number; task: number | null; isHead: boolean };

const KINDS = STATES.length;
const URGENT = [FAILED, INTERRUPTED, RUNNING, SCHEDULED, PENDING, SKIPPED, COMPLETED];

export class Scene {
  /** Numbers of tasks by state of each box: those of box b begin at b * 7. */
  readonly counts: Int32Array;
  /** Left, top, right and bottom of each edge, one behind the other. */
  readonly extents: Float32Array;
  private edgeNumbers: Map<number, number> | undefined;
  /** The states as they are counted. */
  private states: Uint8Array;

  constructor(
    readonly layout: Layout,
    private current: GroupModel,
  ) {
    this.counts = new Int32Array(layout.boxes * KINDS);
    this.states = Uint8Array.from(current.states);
    this.countAll();
    this.extents = extentsOf(layout);
  }

  get model(): GroupModel {
    return this.current;
  }

  /** Take in changes of tasks; `model` may be a new one of the same structure. */
  update(model: GroupModel, changed: Changed): void {
    this.current = model;
    if (changed === null) {
      this.states = Uint8Array.from(model.states);
      this.countAll();
      return;
    }
    for (const place of changed) {
      const first = at(this.layout.boxOf, place) * KINDS;
      const [before, after] = [first + at(this.states, place), first + at(model.states, place)];
      this.counts[before] = at(this.counts, before) - 1;
      this.counts[after] = at(this.counts, after) + 1;
      this.states[place] = at(model.states, place);
    }
  }

  private countAll(): void {
    this.counts.fill(0);
    for (let place = 0; place < this.states.length; place++) {
      const slot = at(this.layout.boxOf, place) * KINDS + at(this.states, place);
      this.counts[slot] = at(this.counts, slot) + 1;
    }
  }

  /** Give the number of the edge between two boxes; undefined if there is none. */
  edgeBetween(parent: number, child: number): number | undefined {
    const { edges, boxes } = this.layout;
    if (this.edgeNumbers === undefined) {
      this.edgeNumbers = new Map();
      for (let edge = 0; edge < edges.length; edge += 2) {
        this.edgeNumbers.set(at(edges, edge) * boxes + at(edges, edge + 1), edge / 2);
      }
    }
    return this.edgeNumbers.get(parent * boxes + child);
  }

  /** Say whether one of the tasks in a box is marked. */
  hasMarked(box: number, marks: Uint8Array): boolean {
    const { start, items } = this.layout.members;
    for (let next = at(start, box); next < at(start, box + 1); next++)
      if (marks[at(items, next)]) return true;
    return false;
  }

  /** Give the state in a box that people should see first. */
  urgentIn(box: number): number {
    if (this.sizeOf(box) === 1) return at(this.states, this.firstOf(box));
    return URGENT.find((state) => at(this.counts, box * KINDS + state) > 0) ?? PENDING;
  }

  sizeOf(box: number): number {
    return at(this.layout.members.start, box + 1) - at(this.layout.members.start, box);
  }

  firstOf(box: number): number {
    return at(this.layout.members.items, at(this.layout.members.start, box));
  }

  isOpen(box: number): boolean {
    return at(this.layout.columns, box) > 0;
  }

  /** Give what to call a box: the id of its task, or what the ids of its tasks have in common. */
  titleOf(box: number): string {
    const { ids, names } = this.current.structure;
    const first = this.firstOf(box);
    const id = ids[first] as string;
    if (this.sizeOf(box) === 1) return id;
    const last = at(this.layout.members.items, at(this.layout.members.start, box + 1) - 1);
    const other = ids[last] as string;
    return pattern(id) === pattern(other) ? shared(id, other) : (names[first] as string);
  }

  rectOf(box: number): Rect {
    const { x, y, w, h } = this.layout;
    const [left, top] = [at(x, box), at(y, box)];
    return { left, top, right: left + at(w, box), bottom: top + at(h, box) };
  }

  /** Give where a task is: its cell in an open box, otherwise its box. */
  rectOfTask(task: number): Rect {
    const box = at(this.layout.boxOf, task);
    const columns = at(this.layout.columns, box);
    const rect = this.rectOf(box);
    if (columns === 0) return rect;
    const number = placeIn(listed(this.layout.members, box), task);
    const left = rect.left + OPEN_EDGE + (number % columns) * CELL_PITCH;
    const top = rect.top + OPEN_HEAD + Math.floor(number / columns) * CELL_PITCH;
    return { left, top, right: left + CELL, bottom: top + CELL };
  }

  /** Find what lies at a point of the drawing. */
  hit(pointX: number, pointY: number): Hit | null {
    const { x, y, w, h, boxes } = this.layout;
    for (let box = 0; box < boxes; box++) {
      const [left, top] = [pointX - at(x, box), pointY - at(y, box)];
      if (left < 0 || top < 0 || left > at(w, box) || top > at(h, box)) continue;
      if (this.sizeOf(box) === 1) return { box, task: this.firstOf(box), isHead: false };
      const columns = at(this.layout.columns, box);
      if (columns === 0) return { box, task: null, isHead: false };
      if (top < OPEN_HEAD) return { box, task: null, isHead: true };
      const column = Math.floor((left - OPEN_EDGE) / CELL_PITCH);
      const number = Math.floor((top - OPEN_HEAD) / CELL_PITCH) * columns + column;
      const isCell = column >= 0 && column < columns && number < this.sizeOf(box);
      return { box, task: isCell ? (listed(this.layout.members, box)[number] ?? null) : null, isHead: false };
    }
    return null;
  }
}

/** Find a task among the members of a box, which are in order. */
function placeIn(members: Int32Array, task: number): number {
  let [low, high] = [0, members.length - 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (at(members, middle) < task) low = middle + 1;
    else high = middle;
  }
  return low;
}

function extentsOf({ points, pointStart, edges }: Layout): Float32Array {
  const extents = new Float32Array(edges.length * 2);
  for (let edge = 0; edge < edges.length / 2; edge++) {
    let [left, top, right, bottom] = [Infinity, Infinity, -Infinity, -Infinity];
    for (let point = at(pointStart, edge); point < at(pointStart, edge + 1); point++) {
      const [x, y] = [at(points, point * 2), at(points, point * 2 + 1)];
      left = Math.min(left, x);
      right = Math.max(right, x);
      top = Math.min(top, y);
      bottom = Math.max(bottom, y);
    }
    extents.set([left, top, right, bottom], edge * 4);
  }
  return extents;
}

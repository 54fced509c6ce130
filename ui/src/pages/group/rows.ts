// The rows of the table: which tasks, and in which order. Pure.

import { COMPLETED, FAILED, INTERRUPTED, PENDING, RUNNING, SCHEDULED, SKIPPED } from "../../states";
import type { GroupModel } from "./model";
import { at } from "./structure";

export const COLUMNS = ["task", "function", "state", "started", "took", "attempts", "proplet"] as const;
export type Column = (typeof COLUMNS)[number];

/** Null: what failed first, then what runs and waits, each in the order of the graph. */
export type Order = { column: Column; isDown: boolean } | null;

/** What people look for first stands first. */
const URGENCY: Record<number, number> = {
  [FAILED]: 0,
  [INTERRUPTED]: 1,
  [RUNNING]: 2,
  [SCHEDULED]: 3,
  [PENDING]: 4,
  [SKIPPED]: 5,
  [COMPLETED]: 6,
};

/** Give the places of the tasks that are marked in all of `masks`, in order. */
export function rowsOf(
  model: GroupModel,
  masks: readonly (Uint8Array | null)[],
  order: Order,
  now: number,
  nameOf: (proplet: string) => string,
): Int32Array {
  const { count } = model.structure;
  const rows = new Int32Array(count);
  let length = 0;
  for (let place = 0; place < count; place++) {
    if (masks.every((mask) => mask === null || mask[place])) rows[length++] = place;
  }
  const shown = rows.subarray(0, length);
  return shown.sort(comparing(model, order, now, nameOf));
}

function comparing(
  model: GroupModel,
  order: Order,
  now: number,
  nameOf: (proplet: string) => string,
): (one: number, other: number) => number {
  if (order === null) {
    const urgency = (place: number): number => (at(model.states, place) === FAILED ? 0 : 1);
    return (one, other) => urgency(one) - urgency(other) || one - other;
  }
  const sign = order.isDown ? -1 : 1;
  const words = textOf(model, order.column, nameOf);
  if (words !== null) {
    const collator = new Intl.Collator(undefined, { numeric: true });
    const ranks = ranked(words, collator);
    return (one, other) => sign * (at(ranks, one) - at(ranks, other)) || one - other;
  }
  const values = Float64Array.from({ length: model.structure.count }, (_, place) => {
    return numberOf(model, order.column, place, now);
  });
  // What has no value stands last either way.
  return (one, other) => {
    const [first, second] = [at(values, one), at(values, other)];
    if (first === second) return one - other;
    if (first === 0 && order.column !== "state") return 1;
    if (second === 0 && order.column !== "state") return -1;
    return sign * (first - second);
  };
}

function textOf(
  model: GroupModel,
  column: Column,
  nameOf: (proplet: string) => string,
): readonly string[] | null {
  if (column === "task") return model.structure.ids;
  if (column === "function") return model.structure.names;
  if (column !== "proplet") return null;
  const names = model.propletIds.map(nameOf);
  return Array.from(model.proplets, (proplet) => names[proplet] ?? "\uffff");
}

/** Give the rank of each text, equal ones the same; each distinct text is compared and not each task. */
function ranked(words: readonly string[], collator: Intl.Collator): Float64Array {
  const distinct = [...new Set(words)].sort(collator.compare);
  const ranks = new Map(distinct.map((word, rank) => [word, rank]));
  return Float64Array.from(words, (word) => ranks.get(word) as number);
}

function numberOf(model: GroupModel, column: Column, place: number, now: number): number {
  if (column === "state") return URGENCY[at(model.states, place)] ?? 0;
  if (column === "started") return at(model.started, place);
  if (column === "took") return model.took(place, now);
  return at(model.attempts, place);
}

// Which tasks a text or a choice of states finds. Pure.

import { STATES, type StateWord } from "../../states";
import type { GroupModel } from "./model";
import { at, type Structure } from "./structure";

const lowered = new WeakMap<Structure, { ids: string[]; names: string[] }>();

function lower(structure: Structure): { ids: string[]; names: string[] } {
  let found = lowered.get(structure);
  if (found === undefined) {
    found = {
      ids: structure.ids.map((id) => id.toLowerCase()),
      names: structure.names.map((name) => name.toLowerCase()),
    };
    lowered.set(structure, found);
  }
  return found;
}

/** Mark the tasks whose id or name has a text in it; null for no text. */
export function findText(structure: Structure, text: string): Uint8Array | null {
  const wanted = text.trim().toLowerCase();
  if (!wanted) return null;
  const { ids, names } = lower(structure);
  const found = new Uint8Array(structure.count);
  for (let place = 0; place < structure.count; place++) {
    if ((ids[place] as string).includes(wanted) || (names[place] as string).includes(wanted))
      found[place] = 1;
  }
  return found;
}

/** Mark the tasks that are in one of some states; null where all are asked for. */
export function findStates(model: GroupModel, words: readonly StateWord[]): Uint8Array | null {
  if (words.length === 0) return null;
  const wanted = new Set(words.map((word) => STATES.indexOf(word)));
  return Uint8Array.from(model.states, (state) => (wanted.has(state) ? 1 : 0));
}

/** Give the next place behind one that is marked, and the first again behind the last; null if none is. */
export function nextMarked(marks: Uint8Array, after: number): number | null {
  for (let step = 1; step <= marks.length; step++) {
    const place = (after + step) % marks.length;
    if (at(marks, place)) return place;
  }
  return null;
}

export function countMarked(marks: Uint8Array): number {
  let sum = 0;
  for (const mark of marks) sum += mark;
  return sum;
}

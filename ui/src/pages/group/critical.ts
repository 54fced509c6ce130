// The critical path: the tasks that the end had to wait for. Shorten one of them, and the whole is over sooner.

import { RUNNING } from "../../states";
import type { GroupModel } from "./model";
import { at } from "./structure";

/**
 * Give the places of the tasks of the critical path, the first first: from the task that ended last, or runs still,
 * back along the parent that ended last. Empty while nothing has run.
 */
export function criticalPath(model: GroupModel): number[] {
  const { structure, started, finished, states } = model;
  const endOf = (place: number): number => {
    if (!at(started, place)) return 0;
    return at(finished, place) || (at(states, place) === RUNNING ? Number.MAX_SAFE_INTEGER : 0);
  };
  let last = -1;
  let lastEnd = 0;
  let lastStart = 0;
  for (let place = 0; place < structure.count; place++) {
    const end = endOf(place);
    // Of those that still run, the one that began first holds the others up the longest.
    if (end > lastEnd || (end === lastEnd && end > 0 && at(started, place) < lastStart)) {
      [last, lastEnd, lastStart] = [place, end, at(started, place)];
    }
  }
  const path: number[] = [];
  const { start, items } = structure.parents;
  while (last >= 0) {
    path.push(last);
    let before = -1;
    for (let next = at(start, last); next < at(start, last + 1); next++) {
      const parent = at(items, next);
      if (endOf(parent) > 0 && (before < 0 || endOf(parent) > endOf(before))) before = parent;
    }
    last = before;
  }
  return path.reverse();
}

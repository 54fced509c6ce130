// Which workflows and jobs the overview names: those that run, then the newest.

import { RUNNING } from "../../states";
import type { GroupRow, Kind } from "../groups/rows";

export type Recent = GroupRow & { kind: Kind };

/** Put lists together, each group once: those that run first, and then the newest. */
export function merged(lists: readonly (readonly Recent[])[], most: number): Recent[] {
  const byId = new Map(lists.flat().map((one) => [`${one.kind} ${one.id}`, one]));
  return [...byId.values()]
    .sort((a, b) => Number(isRunning(b)) - Number(isRunning(a)) || b.created - a.created)
    .slice(0, most);
}

function isRunning(one: Recent): boolean {
  return one.state === RUNNING;
}

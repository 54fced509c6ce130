// Where the boxes of the graph lie that is shown before something is created. Pure.

import { patternsOf } from "../group/fold";
import { type Layout, layOut } from "../group/layout";
import { structureOf } from "../group/structure";

/** Lay out tasks as the page of a workflow or job does; many that are alike are one box. */
export function previewOf(
  tasks: readonly { id: string; name: string }[],
  edges: readonly (readonly string[])[],
  isSequence: boolean,
  aspect: number,
): Layout {
  const placeOf = new Map(tasks.map(({ id }, place) => [id, place]));
  const pairs: number[] = [];
  for (const [from = "", to = ""] of edges) {
    const [parent, child] = [placeOf.get(from), placeOf.get(to)];
    if (parent !== undefined && child !== undefined && parent !== child) pairs.push(parent, child);
  }
  const structure = structureOf(
    tasks.map(({ id }) => id),
    tasks.map(({ name }) => name),
    tasks.map(() => ""),
    pairs,
    isSequence ? "sequential" : undefined,
  );
  return layOut({
    count: tasks.length,
    edges: structure.edges,
    patterns: patternsOf(structure),
    open: [],
    aspect,
  });
}

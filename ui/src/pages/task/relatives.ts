// Who depends on a task, out of the graph of its workflow or job.

import type { Shapes } from "../../api/client";

export type Relative = { id: string; name: string };

/** Give the children of a task: the tasks that depend on it, in the order of their creation. */
export function childrenOf(graph: Shapes["GraphView"], taskId: string): Relative[] {
  const { ids, names } = graph.tasks;
  const parent = ids.indexOf(taskId);
  if (parent === -1) return [];
  const found: number[] = [];
  for (let at = 0; at < graph.edges.length; at += 2) {
    const child = graph.edges[at + 1];
    if (graph.edges[at] === parent && child !== undefined) found.push(child);
  }
  return found.map((at) => ({ id: ids[at] ?? "", name: names[at] ?? "" }));
}

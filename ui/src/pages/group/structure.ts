// What of a workflow or job does not change while it runs: its tasks and who waits for whom.

/** Read a value of a column of numbers at a place that exists. */
export function at(column: ArrayLike<number>, place: number): number {
  return column[place] as number;
}

/** Neighbours of each task, one list behind the other: those of task i are `items[start[i]] .. items[start[i + 1]]`. */
export type Lists = { start: Int32Array; items: Int32Array };

export type Structure = {
  count: number;
  ids: readonly string[];
  names: readonly string[];
  /** `run_if` of each task, empty for none. */
  conditions: readonly string[];
  /** Places of tasks in pairs: a parent, its child. */
  edges: Int32Array;
  parents: Lists;
  children: Lists;
  indexOf: ReadonlyMap<string, number>;
  /** True where the tasks run one after another since the job says so, and not since they depend on each other. */
  isSequence: boolean;
};

export function structureOf(
  ids: readonly string[],
  names: readonly string[],
  conditions: readonly string[],
  givenEdges: readonly number[],
  mode: string | undefined,
): Structure {
  const count = ids.length;
  const isSequence = mode === "sequential" && givenEdges.length === 0;
  const edges = isSequence ? edgesOfSequence(count) : Int32Array.from(givenEdges);
  const indexOf = new Map<string, number>();
  for (let place = 0; place < count; place++) indexOf.set(ids[place] as string, place);
  return {
    count,
    ids,
    names,
    conditions,
    edges,
    parents: listsOf(count, edges, 1),
    children: listsOf(count, edges, 0),
    indexOf,
    isSequence,
  };
}

function edgesOfSequence(count: number): Int32Array {
  const edges = new Int32Array(Math.max(0, count - 1) * 2);
  for (let place = 1; place < count; place++) {
    edges[place * 2 - 2] = place - 1;
    edges[place * 2 - 1] = place;
  }
  return edges;
}

/** Sort edges by one of their ends (0 the parent, 1 the child) into lists of the other end. */
export function listsOf(count: number, edges: Int32Array, end: 0 | 1): Lists {
  const start = new Int32Array(count + 1);
  for (let edge = end; edge < edges.length; edge += 2) {
    const place = at(edges, edge) + 1;
    start[place] = at(start, place) + 1;
  }
  for (let place = 0; place < count; place++) start[place + 1] = at(start, place + 1) + at(start, place);
  const next = start.slice(0, count);
  const items = new Int32Array(edges.length / 2);
  for (let edge = 0; edge < edges.length; edge += 2) {
    const place = at(edges, edge + end);
    items[at(next, place)] = at(edges, edge + 1 - end);
    next[place] = at(next, place) + 1;
  }
  return { start, items };
}

/** Give the neighbours of one task. */
export function listed(lists: Lists, place: number): Int32Array {
  return lists.items.subarray(at(lists.start, place), at(lists.start, place + 1));
}

/** True if two graphs have the same tasks and edges, so that what was laid out stays as it is. */
export function isSameStructure(one: Structure, other: Structure): boolean {
  if (one.count !== other.count || one.edges.length !== other.edges.length) return false;
  for (let place = 0; place < one.count; place++) {
    if (one.ids[place] !== other.ids[place] || one.names[place] !== other.names[place]) return false;
  }
  for (let edge = 0; edge < one.edges.length; edge++) {
    if (one.edges[edge] !== other.edges[edge]) return false;
  }
  return true;
}

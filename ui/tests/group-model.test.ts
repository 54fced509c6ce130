import { describe, expect, it } from "vitest";
import { criticalPath } from "../src/pages/group/critical";
import { findStates, findText, nextMarked } from "../src/pages/group/finding";
import { type Graph, GroupModel, NOT_SAID } from "../src/pages/group/model";
import { rowsOf } from "../src/pages/group/rows";
import { listed } from "../src/pages/group/structure";
import { COMPLETED, FAILED, PENDING, RUNNING, SCHEDULED, SKIPPED } from "../src/states";

type Given = { state?: number; attempt?: number; started?: number; finished?: number; proplet?: number };

/** Make a graph of tasks a, b, c …; of the times only those of the runs are given. */
function graphOf(tasks: readonly Given[], edges: number[] = [], mode?: "sequential" | "parallel"): Graph {
  const column = (pick: (task: Given) => number): number[] => tasks.map(pick);
  return {
    event_id: 7,
    ...(mode ? { mode } : {}),
    tasks: {
      ids: tasks.map((_, place) => String.fromCharCode(97 + place)),
      names: tasks.map(() => "main"),
      states: column((task) => task.state ?? PENDING) as Graph["tasks"]["states"],
      attempts: column((task) => task.attempt ?? 0),
      proplets: column((task) => task.proplet ?? -1),
      created: column(() => 1),
      placed: column((task) => task.started ?? 0),
      started: column((task) => task.started ?? 0),
      finished: column((task) => task.finished ?? 0),
      up: column(() => 0),
      conditions: tasks.map(() => ""),
      sub_workflows: tasks.map(() => ""),
    },
    proplets: ["p1"],
    edges,
    past_attempts: [],
    executions: [],
  };
}

describe("what events change", () => {
  it("takes a task from waiting to its end, and counts", () => {
    const model = new GroupModel(graphOf([{}, {}]));
    expect([...model.counts]).toEqual([2, 0, 0, 0, 0, 0, 0]);
    model.apply([
      ["a", SCHEDULED, 0, "", 100, 0],
      ["a", RUNNING, 1, "p1", 200, 0],
    ]);
    expect(model.readySince(0)).toBe(100);
    expect(model.took(0, 450)).toBe(250);
    const { changed } = model.apply([["a", COMPLETED, 1, "p1", 300, 0]]);
    expect(changed).toEqual([0]);
    expect(model.took(0, 999)).toBe(100);
    expect([...model.counts]).toEqual([1, 0, 0, 1, 0, 0, 0]);
  });

  it("names each task that changed once, whatever it went through", () => {
    const model = new GroupModel(graphOf([{}, {}]));
    const { changed, isIncomplete } = model.apply([
      ["b", SCHEDULED, 0, "", 1, 0],
      ["b", RUNNING, 1, "p1", 2, 0],
    ]);
    expect(changed).toEqual([1]);
    expect(isIncomplete).toBe(false);
  });

  it("clears the times of the run before when a task runs again, and keeps that run", () => {
    const model = new GroupModel(
      graphOf([{ state: FAILED, attempt: 1, started: 10, finished: 30, proplet: 0 }]),
    );
    model.apply([["a", PENDING, 1, "", 50, 0]]);
    expect(model.took(0, 99)).toBe(0);
    model.apply([
      ["a", SCHEDULED, 1, "", 55, 0],
      ["a", RUNNING, 2, "p2", 60, 0],
    ]);
    expect(model.took(0, 99)).toBe(39);
    expect(model.propletIds).toEqual(["p1", "p2"]);
    expect([...model.counts]).toEqual([0, 0, 1, 0, 0, 0, 0]);
  });

  it("keeps an attempt that another follows, and asks for how it ended", () => {
    const model = new GroupModel(graphOf([{ state: RUNNING, attempt: 1, started: 10, proplet: 0 }]));
    const { isIncomplete } = model.apply([["a", RUNNING, 2, "p1", 40, 0]]);
    expect(isIncomplete).toBe(true);
    expect(model.past.get(0)).toEqual([
      { attempt: 1, state: NOT_SAID, proplet: 0, started: 10, finished: 40 },
    ]);
    expect(model.took(0, 50)).toBe(10);
  });

  it("keeps an attempt also when its task waits before the next one", () => {
    const model = new GroupModel(
      graphOf([
        { state: RUNNING, attempt: 1, started: 10, proplet: 0 },
        { state: FAILED, attempt: 1, started: 10, finished: 30, proplet: 0 },
      ]),
    );
    expect(model.apply([["a", SCHEDULED, 1, "", 40, 0]]).isIncomplete).toBe(true);
    expect(model.apply([["b", PENDING, 1, "", 50, 0]]).isIncomplete).toBe(false);
    model.apply([
      ["a", RUNNING, 2, "p1", 60, 0],
      ["b", RUNNING, 2, "p1", 60, 0],
    ]);
    const first = { attempt: 1, proplet: 0, started: 10 };
    expect(model.past.get(0)).toEqual([{ ...first, state: NOT_SAID, finished: 40 }]);
    expect(model.past.get(1)).toEqual([{ ...first, state: FAILED, finished: 30 }]);
  });

  it("asks for the graph again when a task is new", () => {
    const model = new GroupModel(graphOf([{}]));
    expect(model.apply([["new", RUNNING, 1, "p1", 5, 0]])).toEqual({ changed: [], isIncomplete: true });
  });

  it("does not count a skipped task as one that ran", () => {
    const model = new GroupModel(graphOf([{}]));
    model.apply([["a", SKIPPED, 0, "", 5, 0]]);
    expect(model.took(0, 99)).toBe(0);
  });
});

describe("the structure", () => {
  it("lets the tasks of a sequential job follow each other", () => {
    const { structure } = new GroupModel(graphOf([{}, {}, {}], [], "sequential"));
    expect([...structure.edges]).toEqual([0, 1, 1, 2]);
    expect([...listed(structure.parents, 2)]).toEqual([1]);
    expect(new GroupModel(graphOf([{}, {}], [], "parallel")).structure.edges.length).toBe(0);
  });

  it("stays the same object when the graph is read again without change", () => {
    const one = new GroupModel(graphOf([{}, {}], [0, 1]));
    expect(new GroupModel(graphOf([{}, {}], [0, 1]), one.structure).structure).toBe(one.structure);
    expect(new GroupModel(graphOf([{}, {}], []), one.structure).structure).not.toBe(one.structure);
  });
});

it("finds the path that the end had to wait for", () => {
  const edges = [0, 1, 0, 2, 1, 3, 2, 3];
  const ran = (started: number, finished: number): Given => ({
    state: COMPLETED,
    attempt: 1,
    started,
    finished,
  });
  const model = new GroupModel(graphOf([ran(1, 5), ran(5, 20), ran(5, 50), ran(50, 60)], edges));
  expect(criticalPath(model)).toEqual([0, 2, 3]);
  expect(criticalPath(new GroupModel(graphOf([{}, {}])))).toEqual([]);
});

it("ends the path at what still runs", () => {
  const model = new GroupModel(
    graphOf(
      [
        { state: COMPLETED, attempt: 1, started: 1, finished: 9 },
        { state: RUNNING, attempt: 1, started: 9 },
      ],
      [0, 1],
    ),
  );
  expect(criticalPath(model)).toEqual([0, 1]);
});

describe("finding and sorting", () => {
  const model = new GroupModel(
    graphOf([
      { state: COMPLETED, attempt: 1, started: 1, finished: 9 },
      { state: FAILED, attempt: 3, started: 2, finished: 4 },
      {},
    ]),
  );

  it("finds by a part of the id or the function, whatever the case", () => {
    expect(findText(model.structure, "B")).toEqual(Uint8Array.of(0, 1, 0));
    expect(findText(model.structure, "MAI")).toEqual(Uint8Array.of(1, 1, 1));
    expect(findText(model.structure, "  ")).toBeNull();
    expect(findStates(model, ["failed", "pending"])).toEqual(Uint8Array.of(0, 1, 1));
  });

  it("goes on behind the last one with the first", () => {
    expect(nextMarked(Uint8Array.of(1, 0, 1), 0)).toBe(2);
    expect(nextMarked(Uint8Array.of(1, 0, 1), 2)).toBe(0);
    expect(nextMarked(Uint8Array.of(0, 0), 0)).toBeNull();
  });

  it("puts what failed first unless it is asked for another order", () => {
    expect([...rowsOf(model, [null], null, 10, (id) => id)]).toEqual([1, 0, 2]);
    expect([...rowsOf(model, [], { column: "took", isDown: true }, 10, (id) => id)]).toEqual([0, 1, 2]);
    expect([...rowsOf(model, [], { column: "took", isDown: false }, 10, (id) => id)]).toEqual([1, 0, 2]);
    expect([...rowsOf(model, [], { column: "task", isDown: true }, 10, (id) => id)]).toEqual([2, 1, 0]);
    expect([...rowsOf(model, [Uint8Array.of(1, 0, 1)], null, 10, (id) => id)]).toEqual([0, 2]);
  });
});

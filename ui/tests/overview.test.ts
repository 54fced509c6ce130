import { describe, expect, it } from "vitest";
import type { Shapes } from "../src/api/client";
import { rowOf } from "../src/pages/groups/rows";
import { busiestInWords, endedInWords, perMinute, timesOf } from "../src/pages/overview/pace";
import { merged, type Recent } from "../src/pages/overview/recent";

const PACE: Shapes["PaceView"] = {
  step_s: 10,
  end: 100_000,
  started: [0, 0, 0],
  completed: [1200, 34, 0],
  failed: [0, 1, 1],
  ended_otherwise: [0, 0, 0],
  waiting: [null, 1, 0],
  running: [null, 2, 0],
};

describe("the pace", () => {
  it("has a time for each step", () => expect(timesOf(PACE)).toEqual([80_000, 90_000, 100_000]));
  it("is said by the minute", () => expect(perMinute([1, 0, 5], 10)).toEqual([6, 0, 30]));
  it("says what became of tasks", () => {
    expect(endedInWords(PACE)).toBe("in the last hour 1,234 completed, 2 failed");
    expect(endedInWords({ ...PACE, completed: [], failed: [] })).toBe("in the last hour none");
  });
  it("says how much ran and waited at most", () => {
    expect(busiestInWords(PACE)).toBe("in the last hour at most 2 ran, 1 waited");
  });
});

function group(kind: "workflow" | "job", id: string, state: number, minute: number): Recent {
  const at = new Date(Date.UTC(2026, 0, 31, 12, minute)).toISOString();
  const counts = {
    pending: 0,
    scheduled: 0,
    running: 0,
    completed: 1,
    failed: 0,
    skipped: 0,
    interrupted: 0,
  };
  const view = { workflow_id: id, state, counts, created_at: at, start_time: at, finish_time: at };
  return { ...rowOf(id, view as Shapes["WorkflowView"]), kind };
}

it("names those that run, then the newest, each once", () => {
  const old = group("workflow", "old", 2, 0);
  const lists = [
    [group("workflow", "b", 3, 2), old],
    [old],
    [group("job", "b", 4, 3), group("job", "a", 3, 1)],
  ];
  expect(merged(lists, 3).map((one) => `${one.kind} ${one.id}`)).toEqual([
    "workflow old",
    "job b",
    "workflow b",
  ]);
});

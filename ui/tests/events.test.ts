import { describe, expect, it } from "vitest";
import { Flow, passes, ROWS_KEPT, rowOf } from "../src/pages/events/flow";

function data(taskId: string, more: object = {}): string {
  return JSON.stringify({
    task_id: taskId,
    name: "main",
    state: 2,
    time: "2026-01-31T12:00:00.5Z",
    cause: { kind: "placement" },
    ...more,
  });
}

describe("a row", () => {
  it("has what the event says", () => {
    const row = rowOf(
      7,
      data("a", { workflow_id: "w", attempt: 2, proplet_id: "p", state: 4, error: "trap\nmore" }),
    );
    expect(row).toEqual({
      id: 7,
      at: Date.UTC(2026, 0, 31, 12, 0, 0, 500),
      state: 4,
      taskId: "a",
      name: "main",
      groupKind: "workflow",
      groupId: "w",
      attempt: 2,
      propletId: "p",
      why: "trap\nmore",
      isBad: true,
    });
  });
  it("says what caused the change, where nothing went wrong", () => {
    expect(rowOf(1, data("a")).why).toBe("a proplet had room");
    const child = rowOf(1, data("b", { cause: { kind: "parent", task_id: "a" } }));
    expect(child.why).toBe("a parent ended: a");
    expect(child.isBad).toBe(false);
    expect(rowOf(1, data("a", { up: true })).why).toBe("it is up");
  });
  it("passes by its state, and by part of a name or id", () => {
    const row = rowOf(1, data("Extract-1", { job_id: "nightly" }));
    expect(passes(row, { state: 2, text: "" })).toBe(true);
    expect(passes(row, { state: 4, text: "" })).toBe(false);
    expect(passes(row, { state: null, text: "extract" })).toBe(true);
    expect(passes(row, { state: null, text: "NIGHT" })).toBe(true);
    expect(passes(row, { state: null, text: "gone" })).toBe(false);
  });
});

describe("the flow", () => {
  const ids = (flow: Flow): number[] => flow.rows.map((row) => row.id);

  it("gives the newest first", () => {
    const flow = new Flow();
    flow.take(1, data("a"));
    flow.take(2, data("b"));
    flow.turn();
    flow.take(3, data("c"));
    flow.turn();
    expect(ids(flow)).toEqual([3, 2, 1]);
  });
  it("keeps no more rows than people look through", () => {
    const flow = new Flow();
    for (let id = 1; id <= ROWS_KEPT + 10; id++) {
      flow.take(id, data("a"));
      if (id % 100 === 0) flow.turn();
    }
    flow.turn();
    expect(flow.rows.length).toBe(ROWS_KEPT);
    expect(flow.rows[0]?.id).toBe(ROWS_KEPT + 10);
    expect(flow.passedOver).toBe(0);
  });
  it("passes over the oldest of what comes too fast, and says how many", () => {
    const flow = new Flow();
    const came = 25_000;
    for (let id = 1; id <= came; id++) flow.take(id, data("a"));
    flow.turn();
    expect(flow.rows[0]?.id).toBe(came);
    expect(flow.rows.length + flow.passedOver).toBe(came);
    expect(flow.taken).toBe(came);
  });
  it("bounds what waits by its size too", () => {
    const flow = new Flow();
    const large = data("a", { results: "x".repeat(64_000) });
    for (let id = 1; id <= 1_000; id++) flow.take(id, large);
    flow.turn();
    expect(flow.rows.length).toBeLessThan(300);
    expect(flow.rows.length + flow.passedOver).toBe(1_000);
  });
  it("goes on to keep what is rare while it is asked for", () => {
    const flow = new Flow();
    flow.show({ state: 4, text: "" });
    flow.take(1, data("a", { state: 4 }));
    flow.turn();
    for (let id = 2; id <= ROWS_KEPT * 2; id++) {
      flow.take(id, data("b"));
      if (id % 1000 === 0) flow.turn();
    }
    flow.turn();
    expect(ids(flow)).toEqual([1]);
    flow.show({ state: null, text: "" });
    expect(flow.rows.length).toBe(ROWS_KEPT);
  });
});

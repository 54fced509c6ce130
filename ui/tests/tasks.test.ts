import { expect, it } from "vitest";
import { queryOf, rowOf, rowOfFailure } from "../src/pages/tasks/rows";

const NONE = { state: "", search: "", since: "", workflow: "", job: "", proplet: "", cursor: "" };

it("asks the API by what the address says", () => {
  const always = { limit: 50, order: "newest", file: false };
  expect(queryOf(NONE, 0)).toEqual({ ...always, cursor: "" });
  expect(queryOf({ ...NONE, state: "odd", since: "odd" }, 0)).toEqual({ ...always, cursor: "" });
  const now = Date.UTC(2026, 0, 31, 12);
  expect(
    queryOf(
      { ...NONE, state: "failed", search: "x", since: "1h", workflow: "w", proplet: "p", cursor: "c" },
      now,
    ),
  ).toEqual({
    ...always,
    cursor: "c",
    state: "failed",
    search: "x",
    since: "2026-01-31T11:00:00.000Z",
    workflow_id: "w",
    proplet_id: "p",
  });
});

const TASK = {
  id: "a",
  name: "main",
  cli_args: null,
  daemon: false,
  encrypted: false,
  start_time: "2026-01-31T12:00:00Z",
  finish_time: "2026-01-31T12:00:02Z",
  created_at: "2026-01-31T12:00:00Z",
  updated_at: "2026-01-31T12:00:00Z",
  next_run: "0001-01-01T00:00:00Z",
} as const;

it("shows a task that runs again as one that has not ended", () => {
  const row = rowOf({ ...TASK, state: 2, attempt: 2, job_id: "j", reason: "waits" });
  expect([row.started, row.finished]).toEqual([Date.UTC(2026, 0, 31, 12), 0]);
  expect([row.groupKind, row.groupId, row.attempt, row.why, row.isBad]).toEqual([
    "job",
    "j",
    2,
    "waits",
    false,
  ]);
});

it("shows the error rather than the reason", () => {
  const row = rowOf({ ...TASK, state: 4, error: "trap", reason: "r" });
  expect([row.why, row.isBad, row.finished - row.started]).toEqual(["trap", true, 2000]);
});

it("shows a failure as a task", () => {
  const row = rowOfFailure({
    task_id: "a",
    name: "main",
    workflow_id: "w",
    attempt: 3,
    error: "trap",
    error_kind: "trap",
    finish_time: "2026-01-31T12:00:00Z",
  });
  expect([row.id, row.groupKind, row.groupId, row.attempt, row.state]).toEqual(["a", "workflow", "w", 3, 4]);
});

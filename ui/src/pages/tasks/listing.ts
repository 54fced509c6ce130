// Asks the API for a page of the list of tasks.

import { api, ask, type Shapes } from "../../api/client";
import { managerNow } from "../../live/manager-clock";
import { queryOf, ROWS, rowOf, rowOfFailure, type TaskFilters, type TaskQuery, type TaskRow } from "./rows";

export type TaskList = {
  rows: readonly TaskRow[];
  total: number | undefined;
  next: string | undefined;
};

/** A search that has found less than a page after that long shows what it has. */
const SEARCH_MS_MAX = 2_000;

/** Give a page of tasks. A search ends each answer after a bounded time, so it is asked on until a page is full. */
export async function listTasks(filters: TaskFilters, signal: AbortSignal): Promise<TaskList> {
  const begin = Date.now();
  const query = queryOf(filters, managerNow());
  const rows: TaskRow[] = [];
  let total: number | undefined;
  let next: string | undefined = query.cursor;
  do {
    const asked: TaskQuery = { ...query, limit: ROWS - rows.length, cursor: next };
    const page: Shapes["TaskPage"] = await ask(api.GET("/tasks", { params: { query: asked }, signal }));
    rows.push(...page.tasks.map(rowOf));
    total = page.total;
    next = page.next_cursor;
  } while (next !== undefined && rows.length < ROWS && Date.now() < begin + SEARCH_MS_MAX);
  return { rows, total, next };
}

/** The most that the API lists of those that failed. */
const FAILURES_MAX = 100;

/** Give the tasks that failed since a time, those that failed last at the front. */
export async function listFailures(since: number, signal: AbortSignal): Promise<TaskList> {
  const query = { since: new Date(since).toISOString(), limit: FAILURES_MAX };
  const found = await ask(api.GET("/failures", { params: { query }, signal }));
  return {
    rows: found.failures.map(rowOfFailure),
    total: found.total,
    next: undefined,
  };
}

// Tasks as the list shows them.

import type { Shapes } from "../../api/client";
import { timeOfFilter } from "../../parts/times";
import { hasEnded, STATES, type StateWord } from "../../states";
import { timeOf } from "../../words";

export type TaskRow = {
  id: string;
  name: string;
  state: number;
  groupKind: "workflow" | "job" | "";
  groupId: string;
  /** "" for none. */
  propletId: string;
  attempt: number;
  /** Times are ms, 0 for none. */
  started: number;
  finished: number;
  /** The error, or why it is in its state; "" where that is plain. */
  why: string;
  isBad: boolean;
};

export type TaskFilters = {
  state: string;
  search: string;
  since: string;
  workflow: string;
  job: string;
  proplet: string;
  cursor: string;
};

/** How many rows a page has. */
export const ROWS = 50;

export type TaskQuery = {
  limit: number;
  order: "newest";
  file: false;
  cursor: string;
  state?: StateWord;
  search?: string;
  since?: string;
  workflow_id?: string;
  job_id?: string;
  proplet_id?: string;
};

/** Write the filters as the API takes them; those that are empty or no such thing are left out. */
export function queryOf(filters: TaskFilters, now: number): TaskQuery {
  const state = STATES.find((word) => word === filters.state);
  const since = timeOfFilter(filters.since, now);
  return {
    limit: ROWS,
    order: "newest",
    file: false,
    // Also on the first page, as it asks for paging by cursor.
    cursor: filters.cursor,
    ...(state && { state }),
    ...(filters.search && { search: filters.search }),
    ...(since && { since }),
    ...(filters.workflow && { workflow_id: filters.workflow }),
    ...(filters.job && { job_id: filters.job }),
    ...(filters.proplet && { proplet_id: filters.proplet }),
  };
}

type Owned = { workflow_id?: string; job_id?: string };

function ownerOf({ workflow_id, job_id }: Owned): Pick<TaskRow, "groupKind" | "groupId"> {
  if (workflow_id) return { groupKind: "workflow", groupId: workflow_id };
  return job_id ? { groupKind: "job", groupId: job_id } : { groupKind: "", groupId: "" };
}

export function rowOf(task: Shapes["TaskView"]): TaskRow {
  return {
    id: task.id,
    name: task.name,
    state: task.state,
    ...ownerOf(task),
    propletId: task.proplet_id ?? "",
    attempt: task.attempt ?? 1,
    started: timeOf(task.start_time),
    finished: hasEnded(task.state) ? timeOf(task.finish_time) : 0,
    why: task.error ?? task.reason ?? "",
    isBad: task.error !== undefined,
  };
}

export function rowOfFailure(failure: Shapes["FailedTask"]): TaskRow {
  return {
    id: failure.task_id,
    name: failure.name,
    state: STATES.indexOf("failed"),
    ...ownerOf(failure),
    propletId: failure.proplet_id ?? "",
    attempt: failure.attempt,
    started: 0,
    finished: timeOf(failure.finish_time),
    why: failure.error,
    isBad: true,
  };
}

// Workflows and jobs as the list shows them, which has one shape for both.

import type { Shapes } from "../../api/client";
import type { EarlierRun } from "../../parts/sparkline";
import type { CountsByState } from "../../parts/state";
import { timeOfFilter } from "../../parts/times";
import type { StateWord } from "../../states";
import { timeOf } from "../../words";

export type Kind = "workflow" | "job";

export const GROUP_STATES = ["running", "pending", "completed", "failed", "interrupted"] as const;

export type GroupRow = {
  id: string;
  /** "" without one. */
  name: string;
  state: number;
  counts: CountsByState;
  /** Times are ms, 0 for none. It has not finished while one of its tasks may still run. */
  created: number;
  started: number;
  finished: number;
  labels: Readonly<Record<string, string>> | undefined;
  earlier: readonly EarlierRun[];
  /** Of one that does not run itself, and is copied at its times: when the next one is. */
  nextRun: number;
  isPattern: boolean;
  /** What it is a copy of, and the task that it runs for; "" for none. */
  runOf: string;
  runFor: string;
};

export type GroupFilters = {
  state: string;
  search: string;
  labels: readonly string[];
  since: string;
  until: string;
  cursor: string;
};

export const NO_FILTERS: GroupFilters = {
  state: "",
  search: "",
  labels: [],
  since: "",
  until: "",
  cursor: "",
};

export type Size = {
  /** How many rows a page has. */
  limit: number;
  /** How many earlier runs of the same name each has. */
  earlier: number;
};

const PAGE: Size = { limit: 50, earlier: 20 };

type Listed = Shapes["WorkflowView"] | Shapes["JobSummary"];

type GroupQuery = Size & {
  state?: (typeof GROUP_STATES)[number];
  search?: string;
  label?: string[];
  since?: string;
  until?: string;
  cursor?: string;
};

/** Write the filters as the API takes them; those that are empty or no such thing are left out. */
export function queryOf(filters: GroupFilters, now: number, size: Size = PAGE): GroupQuery {
  const state = GROUP_STATES.find((word) => word === filters.state);
  const since = timeOfFilter(filters.since, now);
  const until = timeOfFilter(filters.until, now);
  return {
    ...size,
    ...(state && { state }),
    ...(filters.search && { search: filters.search }),
    ...(filters.labels.length > 0 && { label: [...filters.labels] }),
    ...(since && { since }),
    ...(until && { until }),
    ...(filters.cursor && { cursor: filters.cursor }),
  };
}

export function rowOf(id: string, one: Listed): GroupRow {
  return {
    id,
    name: one.name ?? "",
    state: one.state,
    counts: one.counts,
    created: timeOf(one.created_at),
    started: timeOf(one.start_time),
    // The API says when the last task ended so far.
    finished: progressOf(one.counts).open > 0 ? 0 : timeOf(one.finish_time),
    labels: one.labels,
    earlier: one.earlier ?? [],
    nextRun: timeOf(one.next_run),
    isPattern: one.schedule !== undefined,
    runOf: one.run_of ?? "",
    runFor: "run_for" in one ? (one.run_for ?? "") : "",
  };
}

/** How many tasks of a group have not ended, and how many have, well or badly. */
export function progressOf(counts: CountsByState): {
  open: number;
  ended: number;
  bad: number;
  total: number;
} {
  const open = counts.pending + counts.scheduled + counts.running;
  const bad = counts.failed + counts.interrupted + counts.skipped;
  return { open, ended: counts.completed + bad, bad, total: open + counts.completed + bad };
}

export function nameOf(row: GroupRow): string {
  return row.name || row.id;
}

export type StateCounts = Partial<Record<StateWord | "total", number>>;

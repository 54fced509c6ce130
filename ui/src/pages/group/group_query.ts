// A workflow or job as a whole, in one shape for both.

import { type UseQueryResult, useQuery } from "@tanstack/react-query";
import { api, ask } from "../../api/client";
import { LIVE } from "../../live/overview";
import type { CountsByState } from "../../parts/state";
import { timeOf } from "../../words";
import { progressOf } from "../groups/rows";
import type { Kind } from "./live";

export type GroupFacts = {
  name: string;
  state: number;
  counts: CountsByState;
  labels: Readonly<Record<string, string>>;
  created: number;
  started: number;
  /** 0 while one of its tasks may still run. */
  finished: number;
  /** Of a job. */
  mode: string;
  schedule: string;
  timezone: string;
  /** When a schedule runs it next. */
  nextRun: number;
  /** True while its schedule runs it at no times. */
  isPaused: boolean;
  /** What has the schedule that this is a run of. */
  runOf: string;
  /** The task that this workflow runs for. */
  runFor: string;
};

export function useGroupFacts(kind: Kind, id: string): UseQueryResult<GroupFacts> {
  return useQuery({
    queryKey: [LIVE, kind, id, "facts"],
    queryFn: ({ signal }) => readFacts(kind, id, signal),
  });
}

async function readFacts(kind: Kind, id: string, signal: AbortSignal): Promise<GroupFacts> {
  const place = { params: { path: { id } }, signal };
  const options = { params: { path: { id }, query: { tasks: false } }, signal };
  if (kind === "workflow") {
    const workflow = await ask(api.GET("/workflows/{id}", options));
    const schedule = workflow.schedule && (await ask(api.GET("/workflows/{id}/schedule", place)));
    const isPaused = schedule ? schedule.paused : false;
    return { ...shared(workflow), isPaused, runFor: workflow.run_for ?? "", mode: "" };
  }
  const job = await ask(api.GET("/jobs/{id}", options));
  if (!("counts" in job)) throw new Error("the manager did not say how the job is");
  const schedule = job.schedule && (await ask(api.GET("/jobs/{id}/schedule", place)));
  const isPaused = schedule ? schedule.paused : false;
  return { ...shared(job), isPaused, runFor: "", mode: job.execution_mode ?? "" };
}

type Said = {
  name?: string;
  state: number;
  counts: CountsByState;
  labels?: Readonly<Record<string, string>>;
  created_at: string;
  start_time: string;
  finish_time: string;
  schedule?: string;
  timezone?: string;
  next_run?: string;
  run_of?: string;
};

function shared(said: Said): Omit<GroupFacts, "mode" | "runFor" | "isPaused"> {
  return {
    name: said.name ?? "",
    state: said.state,
    counts: said.counts,
    labels: said.labels ?? {},
    created: timeOf(said.created_at),
    started: timeOf(said.start_time),
    finished: progressOf(said.counts).open > 0 ? 0 : timeOf(said.finish_time),
    schedule: said.schedule ?? "",
    timezone: said.timezone ?? "",
    nextRun: timeOf(said.next_run),
    runOf: said.run_of ?? "",
  };
}

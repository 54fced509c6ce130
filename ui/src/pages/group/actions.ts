// What can be done to a workflow or job, what it means in words, and the request for it.

import { api, ask } from "../../api/client";
import { newKey } from "../../api/once";
import { idWords, type Recipe, recipeOf } from "../../parts/recipe";
import type { CountsByState } from "../../parts/state";
import { count } from "../../words";
import type { GroupFacts } from "./group_query";
import type { Kind } from "./live";

export type Action =
  | "start"
  | "stop"
  | "rerun-failed"
  | "rerun-all"
  | "pause"
  | "resume"
  | "clone"
  | "delete";

export const WORDS: Record<Action, string> = {
  start: "Start",
  stop: "Stop",
  "rerun-failed": "Rerun failed",
  "rerun-all": "Rerun all",
  pause: "Pause schedule",
  resume: "Resume schedule",
  clone: "Clone",
  delete: "Delete",
};

type Sums = { total: number; open: number; bad: number; ended: number; begun: number };

function sumsOf(counts: CountsByState): Sums {
  const bad = counts.failed + counts.interrupted + counts.skipped;
  const under = counts.scheduled + counts.running;
  const ended = bad + counts.completed;
  return {
    total: ended + under + counts.pending,
    open: under + counts.pending,
    bad,
    ended,
    begun: ended + under,
  };
}

/** Give what can be done now. */
export function actionsOf(facts: GroupFacts): Action[] {
  const { total, open, bad, begun } = sumsOf(facts.counts);
  const found: Action[] = [];
  const isWaiting = total > 0 && begun === 0;
  if (isWaiting || facts.schedule) found.push("start");
  if (open > 0 && (!isWaiting || facts.schedule)) found.push("stop");
  if (open === 0 && bad > 0) found.push("rerun-failed");
  if (open === 0 && total > 0) found.push("rerun-all");
  if (facts.schedule) found.push(facts.isPaused ? "resume" : "pause");
  return [...found, "clone", "delete"];
}

/** Say what an action will do. */
export function effectOf(action: Action, facts: GroupFacts, kind: Kind): string {
  const { total, open, bad } = sumsOf(facts.counts);
  switch (action) {
    case "start":
      return facts.schedule
        ? `A copy of this ${kind} is made and started now, as a time of its schedule does.`
        : `${tasks(total)} will run, each as soon as those that it depends on have ended.`;
    case "stop":
      return facts.schedule
        ? "The copies of it that run are stopped, and times that wait are dropped. Later times come as before."
        : `${tasks(open)} not ended yet, and will be interrupted. A rerun can run them again later.`;
    case "rerun-failed":
      return (
        `${tasks(bad)} failed, interrupted or skipped, and will run again with all that hangs on them. ` +
        "The others keep their results."
      );
    case "rerun-all":
      return `${total === 1 ? "Its task" : `All ${tasks(total)}`} will run again. Present results are replaced.`;
    case "pause":
      return "No more times of its schedule come, until it is resumed. What runs goes on.";
    case "resume":
      return "Times of its schedule come again. Those of the pause are not made up for.";
    case "clone":
      return `Another ${kind} is made with the same ${tasks(total)}, under new ids. It is not started.`;
    case "delete":
      return (
        `${tasks(total)} will be deleted, with results, logs and history. This can't be undone.` +
        (open > 0 && open < total ? " What runs is stopped." : "")
      );
  }
}

function tasks(number: number): string {
  return number === 1 ? "1 task" : `${count(number)} tasks`;
}

const ROUTES: Record<Action, [verb: string, what?: "failed" | "all"]> = {
  start: ["start"],
  stop: ["stop"],
  "rerun-failed": ["rerun", "failed"],
  "rerun-all": ["rerun", "all"],
  pause: ["schedule/pause"],
  resume: ["schedule/resume"],
  clone: ["clone"],
  delete: ["delete"],
};

/** Say how the same is done elsewhere. */
export function recipeFor(action: Action, kind: Kind, id: string): Recipe {
  const [verb, what] = ROUTES[action];
  const place = `/${kind}s/${encodeURIComponent(id)}`;
  if (action === "pause" || action === "resume") {
    return recipeOf("POST", `${place}/${verb}`, [`${kind}s`, "schedule", `--${action}`, ...idWords(id)]);
  }
  const words = [`${kind}s`, verb, ...(what === undefined ? [] : [`--what=${what}`]), ...idWords(id)];
  if (action === "delete") return recipeOf("DELETE", place, words);
  return recipeOf("POST", `${place}/${verb}`, words, what === undefined ? undefined : { what });
}

/** Give the function that asks the manager; each try of it has the same key. It gives where to go, if elsewhere. */
export function requestOf(action: Action, kind: Kind, id: string): () => Promise<string | null> {
  const params = { path: { id }, header: { "Idempotency-Key": newKey() } };
  const what = action === "rerun-all" ? ("all" as const) : ("failed" as const);
  const body = { what, from: null };
  const isWorkflow = kind === "workflow";
  const place = (other: string): string => `/${kind}s/${encodeURIComponent(other)}`;
  return async () => {
    switch (action) {
      case "start": {
        const told = await (isWorkflow
          ? ask(api.POST("/workflows/{id}/start", { params }))
          : ask(api.POST("/jobs/{id}/start", { params })));
        return told.run_id ? place(told.run_id) : null;
      }
      case "stop":
        await (isWorkflow
          ? ask(api.POST("/workflows/{id}/stop", { params }))
          : ask(api.POST("/jobs/{id}/stop", { params })));
        return null;
      case "rerun-failed":
      case "rerun-all":
        await (isWorkflow
          ? ask(api.POST("/workflows/{id}/rerun", { params, body }))
          : ask(api.POST("/jobs/{id}/rerun", { params, body })));
        return null;
      case "pause":
        await (isWorkflow
          ? ask(api.POST("/workflows/{id}/schedule/pause", { params }))
          : ask(api.POST("/jobs/{id}/schedule/pause", { params })));
        return null;
      case "resume":
        await (isWorkflow
          ? ask(api.POST("/workflows/{id}/schedule/resume", { params }))
          : ask(api.POST("/jobs/{id}/schedule/resume", { params })));
        return null;
      case "clone":
        return clone(kind, params);
      case "delete":
        await (isWorkflow
          ? ask(api.DELETE("/workflows/{id}", { params: { path: { id } } }))
          : ask(api.DELETE("/jobs/{id}", { params: { path: { id } } })));
        return `/${kind}s`;
    }
  };
}

async function clone(
  kind: Kind,
  params: { path: { id: string }; header: { "Idempotency-Key": string } },
): Promise<string | null> {
  const body = { name: null };
  const options = { params: { ...params, query: { file: false } }, body };
  if (kind === "job") {
    const job = await ask(api.POST("/jobs/{id}/clone", options));
    return `/jobs/${encodeURIComponent(job.job_id)}`;
  }
  const { tasks: made } = await ask(api.POST("/workflows/{id}/clone", options));
  const id = made[0]?.workflow_id;
  return id ? `/workflows/${encodeURIComponent(id)}` : null;
}

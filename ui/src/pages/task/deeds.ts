// What can be done to a task as it is now, and by which key. The keys are those of `propeller top`.

import { hasEnded, PENDING } from "../../states";
import { ownerOf } from "./owner";
import type { Task } from "./task-query";

export type Action = "start" | "stop" | "startAgain" | "rerunFrom" | "edit" | "remove";

export function actionsOf(task: Pick<Task, "state" | "workflow_id" | "job_id">): readonly Action[] {
  if (!hasEnded(task.state))
    return [...(task.state === PENDING ? (["start"] as const) : []), "stop", "remove"];
  return ["startAgain", ...(ownerOf(task) ? (["rerunFrom"] as const) : []), "edit", "remove"];
}

export type TaskKey = {
  keys: string;
  text: string;
  /** Of these, the first that can be done. */
  wanted: readonly Action[];
};

export const TASK_KEYS: readonly TaskKey[] = [
  { keys: "s", text: "Start the task, or start it again", wanted: ["start", "startAgain"] },
  { keys: "x", text: "Stop the task", wanted: ["stop"] },
  { keys: "r", text: "Rerun the task, with all that hangs on it", wanted: ["rerunFrom", "startAgain"] },
  { keys: "R", text: "Rerun from the task on", wanted: ["rerunFrom"] },
  { keys: "d", text: "Delete the task", wanted: ["remove"] },
];

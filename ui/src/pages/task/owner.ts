import type { Task } from "./task-query";

/** The workflow or job that a task is in. */
export type Owner = { kind: "workflow" | "job"; id: string };

export function ownerOf(task: Pick<Task, "workflow_id" | "job_id">): Owner | null {
  if (task.workflow_id) return { kind: "workflow", id: task.workflow_id };
  if (task.job_id) return { kind: "job", id: task.job_id };
  return null;
}

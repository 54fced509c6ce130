import { type UseQueryResult, useQuery } from "@tanstack/react-query";
import { api, ask, type Shapes } from "../../api/client";
import { LIVE } from "../../live/overview";

export type Task = Shapes["TaskView"];

/** Ask for a task, without its module. It stays as it was last when it is gone. */
export function useTask(id: string): UseQueryResult<Task> {
  return useQuery({
    queryKey: [LIVE, "task", id],
    queryFn: ({ signal }) =>
      ask(api.GET("/tasks/{id}", { params: { path: { id }, query: { file: false } }, signal })),
  });
}

/** The workflow or job that a task is in. */
export type Owner = { kind: "workflow" | "job"; id: string };

export function ownerOf(task: Task): Owner | null {
  if (task.workflow_id) return { kind: "workflow", id: task.workflow_id };
  if (task.job_id) return { kind: "job", id: task.job_id };
  return null;
}

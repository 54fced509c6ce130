import { type UseQueryResult, useQuery } from "@tanstack/react-query";
import { api, ask, type Shapes } from "../../api/client";
import { LIVE } from "../../live/overview";

export type Task = Shapes["TaskView"];

/** Ask for a task, without its module. It stays as it was last when it is gone. */
export function useTask(id: string): UseQueryResult<Task> {
  return useQuery({
    queryKey: [LIVE, "task", id],
    queryFn: ({ signal }) => fetchTask(id, signal),
  });
}

export function fetchTask(id: string, signal?: AbortSignal): Promise<Task> {
  const params = { path: { id }, query: { file: false } };
  return ask(api.GET("/tasks/{id}", { params, ...(signal && { signal }) }));
}

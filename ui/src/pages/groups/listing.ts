// Asks the API for a page of a list.

import { api, ask } from "../../api/client";
import { managerNow } from "../../live/manager-clock";
import { type GroupFilters, type GroupRow, type Kind, queryOf, rowOf, type Size } from "./rows";

export type GroupList = { rows: readonly GroupRow[]; total: number; next: string | undefined };

export async function listGroups(
  kind: Kind,
  filters: GroupFilters,
  signal: AbortSignal,
  size?: Size,
): Promise<GroupList> {
  const query = queryOf(filters, managerNow(), size);
  if (kind === "workflow") {
    const page = await ask(api.GET("/workflows", { params: { query }, signal }));
    return {
      rows: page.workflows.map((one) => rowOf(one.workflow_id, one)),
      total: page.total,
      next: page.next_cursor,
    };
  }
  const page = await ask(api.GET("/jobs", { params: { query: { ...query, tasks: false } }, signal }));
  return { rows: page.jobs.map((one) => rowOf(one.job_id, one)), total: page.total, next: page.next_cursor };
}

import { keepPreviousData, type UseQueryResult, useQuery } from "@tanstack/react-query";
import { api, ask } from "../../api/client";
import { LIVE, useOverview } from "../../live/overview";
import type { PropletView } from "./proplets";

export type Fleet = { proplets: PropletView[]; total: number };

const PAGE = 1_000;
/** More proplets than this are not shown. */
const SHOWN_MAX = 5_000;
/** A fleet above this size is asked for at a set pace, and not with each change. */
const SMALL_MAX = 200;
const SMALL_MS = 5_000;
const LARGE_MS = 3_000;

/** Ask for all proplets, with what they run. Signs of life are no changes, so they are asked for now and again. */
export function useFleet(): UseQueryResult<Fleet> {
  const isLarge = (useOverview()?.proplets.total ?? 0) > SMALL_MAX;
  return useQuery({
    queryKey: [isLarge ? "paced" : LIVE, "fleet"],
    queryFn: ({ signal }) => allProplets(signal),
    refetchInterval: isLarge ? LARGE_MS : SMALL_MS,
    placeholderData: keepPreviousData,
  });
}

async function allProplets(signal: AbortSignal): Promise<Fleet> {
  const proplets: PropletView[] = [];
  let total = 0;
  for (let offset = 0; offset < SHOWN_MAX; offset += PAGE) {
    const page = await ask(
      api.GET("/proplets", { params: { query: { tasks: true, limit: PAGE, offset } }, signal }),
    );
    proplets.push(...page.proplets);
    total = page.total;
    if (proplets.length >= total || page.proplets.length === 0) break;
  }
  return { proplets, total };
}

/** Ask for one proplet, with what it runs. */
export function useProplet(id: string): UseQueryResult<PropletView> {
  return useQuery({
    queryKey: [LIVE, "proplet", id],
    queryFn: async ({ signal }) => {
      const found = await ask(
        api.GET("/proplets", { params: { query: { tasks: true, id_prefix: id, limit: 100 } }, signal }),
      );
      const exact = found.proplets.find((proplet) => proplet.id === id);
      // The manager's own words say that there is none.
      return exact ?? ask(api.GET("/proplets/{id}", { params: { path: { id } }, signal }));
    },
    refetchInterval: SMALL_MS,
  });
}

/** Ask what a proplet uses now; undefined where nothing was measured. */
export function useUsage(id: string): { cpu: number; memory: number } | undefined {
  const { data } = useQuery({
    queryKey: ["usage", id],
    queryFn: ({ signal }) =>
      ask(api.GET("/proplets/{id}/metrics", { params: { path: { id }, query: { limit: 1 } }, signal })),
    refetchInterval: 10_000,
    retry: false,
  });
  const sample = data?.metrics[0];
  return sample && { cpu: sample.cpu_metrics.percent, memory: sample.memory_metrics.rss_bytes };
}

// Asks for a list, and again while things change.

import { keepPreviousData, type UseQueryResult, useQuery } from "@tanstack/react-query";
import { LIVE, useOverview } from "./overview";

/** A filtered list is asked for again after so many times the time that it took, so that this is little work. */
const REST = 20;
const REST_MS_MIN = 1_000;

/** The first part of the keys of lists that the manager may have to look through all records for. */
export const FILTERED = "filtered";

type Asked<List> = {
  list: List /** ms. */;
  took: number /** The time of the newest overview then. */;
  asOf: string;
};

/**
 * Give a list, which follows what runs.
 *
 * @param isFiltered the manager may have to look through all records for it: then it is asked for less often
 */
export function useList<List>(
  name: string,
  filters: unknown,
  isFiltered: boolean,
  fetch: (signal: AbortSignal) => Promise<List>,
): UseQueryResult<Asked<List>> {
  const now = useOverview()?.time ?? "";
  return useQuery({
    queryKey: [isFiltered ? FILTERED : LIVE, name, filters],
    queryFn: async ({ signal }) => {
      const begin = Date.now();
      const list = await fetch(signal);
      return { list, took: Date.now() - begin, asOf: now };
    },
    placeholderData: keepPreviousData,
    refetchInterval: ({ state }) => {
      const { asOf = now, took = 0 } = state.data ?? {};
      return isFiltered && asOf !== now ? Math.max(REST_MS_MIN, REST * took) : false;
    },
  });
}

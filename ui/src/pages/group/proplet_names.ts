// The names of proplets, which people know them by; the graph has their ids.

import { useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { api, ask } from "../../api/client";
import { LIVE } from "../../live/overview";

/** The names of so many proplets are read; others have their id. */
const LIMIT = 1_000;

/** Give the function that names a proplet. */
export function usePropletNames(): (id: string) => string {
  const { data } = useQuery({
    queryKey: [LIVE, "proplet-names"],
    queryFn: async ({ signal }) => {
      const page = await ask(api.GET("/proplets", { params: { query: { limit: LIMIT } }, signal }));
      return Object.fromEntries(page.proplets.map((proplet) => [proplet.id, proplet.name]));
    },
    // A name does not change.
    structuralSharing: true,
  });
  return useMemo(() => (id: string) => data?.[id] || id, [data]);
}

// What the manager says of itself as a whole, from its stream. The pages take it as the sign that something changed.

import { useQueryClient } from "@tanstack/react-query";
import { createContext, type ReactNode, useContext, useEffect, useRef, useState } from "react";
import type { Shapes } from "../api/client";
import { follow } from "./stream";

export type Overview = Shapes["OverviewView"];

const OverviewContext = createContext<Overview | null>(null);

/** Lists that are shown are asked for again at most that often while things change. */
const LISTS_MS_MIN = 1_000;
/** The first part of the keys of queries whose answers follow what runs: `["live", …]`. */
export const LIVE = "live";

export function OverviewProvider({ children }: { children: ReactNode }): ReactNode {
  const [overview, setOverview] = useState<Overview | null>(null);
  const queries = useQueryClient();
  const renewal = useRef<{ last: number; timer: ReturnType<typeof setTimeout> | undefined }>({
    last: 0,
    timer: undefined,
  });
  useEffect(() => {
    const state = renewal.current;
    const renew = (): void => {
      state.timer = undefined;
      state.last = Date.now();
      void queries.invalidateQueries({ queryKey: [LIVE] }, { cancelRefetch: false });
    };
    const stop = follow({
      path: "/overview",
      onEvent: (event) => {
        if (event.kind !== "overview") return;
        setOverview(JSON.parse(event.data) as Overview);
        state.timer ??= setTimeout(renew, Math.max(0, state.last + LISTS_MS_MIN - Date.now()));
      },
    });
    return () => {
      stop();
      clearTimeout(state.timer);
      state.timer = undefined;
    };
  }, [queries]);
  return <OverviewContext value={overview}>{children}</OverviewContext>;
}

/** Give the newest overview; null before the first one. */
export function useOverview(): Overview | null {
  return useContext(OverviewContext);
}

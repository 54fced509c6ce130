// What the manager says of a file with a workflow or a job, while it is written.

import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { api, ask, type Shapes } from "../../api/client";
import { newKey } from "../../api/once";

export type Checked = Shapes["FileCheck"];

const PAUSE_MS = 300;

export type Check = {
  /** Of the text as it is, or as it was some keys ago. */
  data: Checked | undefined;
  /** True while `data` is not of the present text. */
  isWaiting: boolean;
  error: unknown;
};

export function useCheck(kind: "workflow" | "job", name: string, text: string): Check {
  const settled = useSettled(text);
  // The ids in an answer are for one creation: the same text is to get others on the next visit.
  const [visit] = useState(newKey);
  const isAsked = settled.trim() !== "";
  const { data, error, isFetching, isPlaceholderData } = useQuery({
    queryKey: ["check", visit, kind, name, settled],
    queryFn: ({ signal }) =>
      ask(
        api.POST("/files/check", {
          body: { text: settled, name, kind: kind === "job" ? "job" : "" },
          signal,
        }),
      ),
    enabled: isAsked,
    placeholderData: keepPreviousData,
    gcTime: 0,
  });
  const isBlank = text.trim() === "";
  return {
    data: isBlank ? undefined : data,
    isWaiting: !isBlank && (settled !== text || isFetching || isPlaceholderData),
    error: isBlank ? null : error,
  };
}

/** Give a text once it has not changed for a while. */
function useSettled(text: string): string {
  const [settled, setSettled] = useState(text);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(text), PAUSE_MS);
    return () => clearTimeout(timer);
  }, [text]);
  return settled;
}

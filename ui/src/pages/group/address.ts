// What the address of the page says: the view, the selected task, what is searched for, and the states that are shown.

import { useCallback, useEffect, useRef, useState } from "react";
import { useSearchParams } from "wouter";
import { STATES, type StateWord } from "../../states";

export const VIEWS = ["graph", "timeline", "table"] as const;
export type ViewName = (typeof VIEWS)[number];

export type Address = {
  view: ViewName;
  task: string | null;
  text: string;
  /** The states that are asked for; empty for all. */
  states: readonly StateWord[];
};

/** Browsers refuse an address that changes too often, as by a key that is held down. */
const WRITE_MS = 250;

export function readAddress(query: URLSearchParams): Address {
  const view = query.get("view") as ViewName | null;
  return {
    view: view !== null && VIEWS.includes(view) ? view : "graph",
    task: query.get("task"),
    text: query.get("q") ?? "",
    states: (query.get("state") ?? "").split(",").filter((word): word is StateWord => {
      return (STATES as readonly string[]).includes(word);
    }),
  };
}

/** Write an address; what is as usual is left out, and what others put there stays. */
export function writeAddress(address: Address, before: URLSearchParams): URLSearchParams {
  const query = new URLSearchParams(before);
  const put = (key: string, value: string): void => {
    if (value) query.set(key, value);
    else query.delete(key);
  };
  put("view", address.view === "graph" ? "" : address.view);
  put("task", address.task ?? "");
  put("q", address.text);
  put("state", address.states.join(","));
  return query;
}

/** Give what the address says, and the function that changes it. The page follows at once, the address soon. */
export function useGroupAddress(): [Address, (change: Partial<Address>) => void] {
  const [query, setQuery] = useSearchParams();
  const [address, setAddress] = useState(() => readAddress(query));
  const written = useRef(query.toString());
  useEffect(() => {
    const now = query.toString();
    if (now === written.current) return;
    written.current = now;
    setAddress(readAddress(query));
  }, [query]);
  useEffect(() => {
    const next = writeAddress(address, query).toString();
    if (next === query.toString()) return;
    const timer = setTimeout(() => {
      written.current = next;
      setQuery(new URLSearchParams(next), { replace: true });
    }, WRITE_MS);
    return () => clearTimeout(timer);
  }, [address, query, setQuery]);
  const change = useCallback(
    (part: Partial<Address>) => setAddress((before) => ({ ...before, ...part })),
    [],
  );
  return [address, change];
}

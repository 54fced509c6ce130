// What a page shows is in its address: what it is filtered by, and the place in a list. So it can be sent to
// somebody, and Back goes to what was there before.

import { useMemo } from "react";
import { useLocation, useSearch } from "wouter";

export type Changes = Readonly<Record<string, string | readonly string[] | undefined>>;

/** The place in a list belongs to the filters that it was listed with. */
const PLACE = "cursor";

/** Give a query with other values: none, "" and undefined take a name out. */
export function changed(search: string, changes: Changes): string {
  const next = new URLSearchParams(search);
  if (!(PLACE in changes)) next.delete(PLACE);
  for (const [name, given] of Object.entries(changes)) {
    next.delete(name);
    const values = given === undefined ? [] : typeof given === "string" ? [given] : given;
    for (const value of values) if (value !== "") next.append(name, value);
  }
  return next.toString();
}

export type Address = {
  /** Give the value of a name; "" without one. */
  get: (name: string) => string;
  all: (name: string) => string[];
  /** Go to the same page with other values. With `replace`, Back does not come here again. */
  change: (changes: Changes, options?: { replace?: boolean }) => void;
  /** Give the address of the same page with other values, for a link. */
  with: (changes: Changes) => string;
};

export function useAddress(): Address {
  const search = useSearch();
  const [path, go] = useLocation();
  return useMemo(() => {
    const values = new URLSearchParams(search);
    const other = (changes: Changes): string => {
      const query = changed(search, changes);
      return query ? `${path}?${query}` : path;
    };
    return {
      get: (name) => values.get(name) ?? "",
      all: (name) => values.getAll(name),
      change: (changes, options) => go(other(changes), options),
      with: other,
    };
  }, [search, path, go]);
}

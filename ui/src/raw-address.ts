// Has the router show addresses as the browser has them. By itself it decodes them, but for some signs, so that the ids
// `%2F` and `/` look the same, and nobody can tell which one is meant. So each `%` is written as `%25` before.

import { useBrowserLocation, useSearch } from "wouter/use-browser-location";

/** Write a path so that it is itself again once the router has decoded it; the router decodes the base, too. */
export function guarded(path: string, base = ""): string {
  const own = path.startsWith(base) ? base : "";
  return own + path.slice(own.length).replaceAll("%", "%25");
}

/** Give where the page is, and the function that goes elsewhere. */
export function useRawLocation({ base }: { base: string }): [string, (to: string) => void] {
  const [path, go] = useBrowserLocation();
  return [guarded(path, base), go];
}

export function useRawSearch(): string {
  return guarded(useSearch());
}

/** Read an id of a path as the router shows it; what no encoder wrote is itself. */
export function idFrom(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

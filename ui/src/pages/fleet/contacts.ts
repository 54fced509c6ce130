// Signs of life of a proplet as a row of marks over time, and in words.

export type Contacts = {
  /** Where each sign is between the first (0) and the last (1). */
  places: number[];
  first: number;
  last: number;
  /** The longest time between two of them, in seconds. */
  pauseMax: number;
};

/** Put signs of life together, times in ms since the epoch in any order; null for none. */
export function contactsOf(times: readonly number[]): Contacts | null {
  const sorted = times.filter((at) => at > 0).toSorted((one, other) => one - other);
  const [first] = sorted;
  const last = sorted.at(-1);
  if (first === undefined || last === undefined) return null;
  const span = Math.max(last - first, 1);
  const pauses = sorted.slice(1).map((at, index) => at - (sorted[index] ?? at));
  return {
    places: sorted.map((at) => (at - first) / span),
    first,
    last,
    pauseMax: Math.max(0, ...pauses) / 1000,
  };
}

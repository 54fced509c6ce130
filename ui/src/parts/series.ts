// What a row of measured values says in words, for the line below its plot.

export type Values = readonly (number | null)[];

export type Summary = { now: number; lowest: number; highest: number };

/** Give the last, the lowest and the highest value; null if nothing was measured. */
export function summary(values: Values): Summary | null {
  let found: Summary | null = null;
  for (const value of values) {
    if (value === null || !Number.isFinite(value)) continue;
    found ??= { now: value, lowest: value, highest: value };
    found.now = value;
    found.lowest = Math.min(found.lowest, value);
    found.highest = Math.max(found.highest, value);
  }
  return found;
}

/** Say a row of values: `CPU: now 12 %, lowest 1 %, highest 80 %`. */
export function inWords(name: string, values: Values, say: (value: number) => string): string {
  const found = summary(values);
  if (found === null) return `${name}: nothing measured`;
  return `${name}: now ${say(found.now)}, lowest ${say(found.lowest)}, highest ${say(found.highest)}`;
}

// Times that a list is filtered by: a span that ends now, such as "24h", or an exact time.

export const SPANS: readonly { word: string; text: string; ms: number }[] = [
  { word: "1h", text: "Last hour", ms: 3_600_000 },
  { word: "24h", text: "Last 24 hours", ms: 86_400_000 },
  { word: "7d", text: "Last 7 days", ms: 7 * 86_400_000 },
  { word: "30d", text: "Last 30 days", ms: 30 * 86_400_000 },
];

/** Give the time that the API is asked by, as it writes times; undefined for none, or for what is no time. */
export function timeOfFilter(value: string, now: number): string | undefined {
  const span = SPANS.find((one) => one.word === value);
  const at = span ? now - span.ms : Date.parse(value);
  return Number.isNaN(at) ? undefined : new Date(at).toISOString();
}

/** Give the begin of the reader's day, ms. */
export function midnight(now: number): number {
  return new Date(now).setHours(0, 0, 0, 0);
}

/** Write a time as an input of the kind datetime-local has it: in the reader's zone, without naming it. */
export function forInput(value: string): string {
  const at = Date.parse(value);
  if (Number.isNaN(at)) return "";
  const local = new Date(at - new Date(at).getTimezoneOffset() * 60_000);
  return local.toISOString().slice(0, 16);
}

/** Read what such an input has; "" for none. */
export function fromInput(value: string): string {
  const at = Date.parse(value);
  return Number.isNaN(at) ? "" : new Date(at).toISOString();
}

// The time axis: which part of the time is on the screen, and where its lines are. Pure.

/** The part of the time that is shown, ms. */
export type Span = { from: number; to: number };

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const STEPS = [
  1, 2, 5, 10, 20, 50, 100, 200, 500,
  SECOND, 2 * SECOND, 5 * SECOND, 10 * SECOND, 15 * SECOND, 30 * SECOND,
  MINUTE, 2 * MINUTE, 5 * MINUTE, 10 * MINUTE, 15 * MINUTE, 30 * MINUTE,
  HOUR, 2 * HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR,
  DAY, 2 * DAY, 7 * DAY, 28 * DAY,
]; // biome-ignore format: one unit a line
const SPAN_MS_MIN = 5;

/** Give the times at which lines stand, at least `gap` px apart, at full steps of the reader's zone. */
export function ticksOf(
  { from, to }: Span,
  width: number,
  gap: number,
  offsetOf: (at: number) => number,
): number[] {
  const least = ((to - from) / Math.max(1, width)) * gap;
  const step = STEPS.find((one) => one >= least) ?? Math.ceil(least / (28 * DAY)) * 28 * DAY;
  const offset = offsetOf(from);
  const ticks: number[] = [];
  for (let at = Math.ceil((from - offset) / step) * step + offset; at <= to; at += step) ticks.push(at);
  return ticks;
}

/** Give how far the local time is behind UTC, ms. */
export function zoneOffset(at: number): number {
  return new Date(at).getTimezoneOffset() * MINUTE;
}

const DAYS = new Intl.DateTimeFormat(undefined, { month: "short", day: "numeric" });
const MINUTES = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const SECONDS = new Intl.DateTimeFormat(undefined, {
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  hourCycle: "h23",
});

/** Say the time of a line, as exactly as the distance of the lines asks for. */
export function tickText(at: number, step: number): string {
  if (step >= DAY) return DAYS.format(at);
  if (step >= MINUTE) return MINUTES.format(at);
  if (step >= SECOND) return SECONDS.format(at);
  return `${SECONDS.format(at)}.${String(at % 1000).padStart(3, "0")}`;
}

/** Leave a bit of room on both sides. */
export function padded({ from, to }: Span): Span {
  const room = Math.max(SPAN_MS_MIN, (to - from) * 0.03);
  return { from: from - room / 2, to: to + room };
}

/** Change the length by a factor; the time at the fraction of the width that is given stays where it is. */
export function zoomedSpan({ from, to }: Span, factor: number, fraction: number, most: Span): Span {
  const length = Math.min((most.to - most.from) * 4, Math.max(SPAN_MS_MIN, (to - from) / factor));
  const fixed = from + (to - from) * fraction;
  return { from: fixed - length * fraction, to: fixed + length * (1 - fraction) };
}

/** Move, but no farther than that something is left to see. */
export function movedSpan({ from, to }: Span, by: number, most: Span): Span {
  const length = to - from;
  const begin = Math.max(most.from - length * 0.9, Math.min(most.to - length * 0.1, from + by));
  return { from: begin, to: begin + length };
}

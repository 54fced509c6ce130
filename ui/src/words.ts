// Times, durations and sizes as people say them.

const UNITS: readonly [string, number][] = [
  ["d", 86_400],
  ["h", 3_600],
  ["min", 60],
];

/** Say a duration in seconds: `450 ms`, `3.2 s`, `2 min 5 s`, `1 h 12 min`. */
export function duration(seconds: number): string {
  if (seconds < 0) return "0 ms";
  if (seconds < 0.9995) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  for (const [at, [unit, size]] of UNITS.entries()) {
    if (whole < size) continue;
    const [lower, lowerSize] = UNITS[at + 1] ?? ["s", 1];
    const rest = Math.floor((whole % size) / lowerSize);
    return rest
      ? `${Math.floor(whole / size)} ${unit} ${rest} ${lower}`
      : `${Math.floor(whole / size)} ${unit}`;
  }
  return `${whole} s`;
}

/** Say how long ago a time was, or how far off it is. */
export function ago(at: number, now: number): string {
  const seconds = (now - at) / 1000;
  if (Math.abs(seconds) < 1) return "now";
  return seconds > 0 ? `${coarse(seconds)} ago` : `in ${coarse(-seconds)}`;
}

function coarse(seconds: number): string {
  const [unit, size] = UNITS.find(([, size]) => seconds >= size) ?? ["s", 1];
  return `${Math.floor(seconds / size)} ${unit}`;
}

/** Say a number of bytes: `312 B`, `1.2 MiB`. */
export function bytes(count: number): string {
  let value = count;
  for (const unit of ["B", "KiB", "MiB", "GiB"]) {
    if (value < 1024) return unit === "B" ? `${value} B` : `${value.toFixed(value < 10 ? 1 : 0)} ${unit}`;
    value /= 1024;
  }
  return `${value.toFixed(1)} TiB`;
}

const COUNT = new Intl.NumberFormat("en");

export function count(value: number): string {
  return COUNT.format(value);
}

const TIME = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });
const DAY_AND_TIME = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });

/** Say a time in the reader's zone; the day only where it is not today. */
export function clock(at: number, now: number): string {
  const isToday = new Date(at).toDateString() === new Date(now).toDateString();
  return (isToday ? TIME : DAY_AND_TIME).format(at);
}

/** The exact time in UTC. */
export function utc(at: number): string {
  return new Date(at).toISOString().replace("T", " ").replace("Z", " UTC");
}

/** Read a time of the API, ms; 0 for none, which the API writes as a time in the year 1. */
export function timeOf(text: string | undefined): number {
  if (!text) return 0;
  const at = Date.parse(text);
  return Number.isNaN(at) || at < 0 ? 0 : at;
}

const CONTROLS = /[\p{Cc}\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu;
const KEPT = new Set(["\n", "\t"]);

/** Show control characters of a text as signs, so that none moves or hides what stands around it. */
export function visible(text: string): string {
  return text.replace(CONTROLS, (one) => {
    const code = one.charCodeAt(0);
    if (KEPT.has(one)) return one;
    if (code < 0x20) return String.fromCharCode(0x2400 + code);
    return code === 0x7f ? "\u2421" : "\ufffd";
  });
}

/** Cut a text that is longer than people read in one line. */
export function shortened(text: string, length: number): string {
  return text.length > length ? `${text.slice(0, length - 1)}\u2026` : text;
}

/** The first line of a text, which of an error says the most. */
export function firstLine(text: string): string {
  return text.trimStart().split("\n", 1)[0] ?? "";
}

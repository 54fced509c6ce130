// The time by the manager's clock. All times that the page shows are the manager's; beside a reader's clock that is
// wrong by an hour, what runs would have begun in the future.

/** The clocks may differ by that much before it counts: answers take their time, and say the time in seconds. */
const OFF_MS_MIN = 2_000;

let off = 0;

/** Take in what an answer says of the time, in its header `Date`. */
export function hearTime(date: string | null, now = Date.now()): void {
  const at = Date.parse(date ?? "");
  if (Number.isNaN(at)) return;
  const found = at + 500 - now;
  off = Math.abs(found) < OFF_MS_MIN ? 0 : found;
}

/** Give the time, ms. */
export function managerNow(now = Date.now()): number {
  return now + off;
}

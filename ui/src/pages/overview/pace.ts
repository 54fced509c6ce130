// The pace of the last hour, as its plots show it.

import type { Shapes } from "../../api/client";
import { count } from "../../words";

type Pace = Shapes["PaceView"];

/** Give the times of the steps, ms: when each of them ended. */
export function timesOf(pace: Pace): number[] {
  const first = pace.end - (pace.started.length - 1) * pace.step_s * 1000;
  return pace.started.map((_, step) => first + step * pace.step_s * 1000);
}

/** Give how many there would be in a minute, at the pace of each step. */
export function perMinute(numbers: readonly number[], stepSeconds: number): number[] {
  return numbers.map((number) => (number * 60) / stepSeconds);
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((all, number) => all + number, 0);
}

/** Say what became of tasks in the hour: `in the last hour 1,234 completed, 2 failed`. */
export function endedInWords(pace: Pace): string {
  const parts = [
    [sum(pace.completed), "completed"],
    [sum(pace.failed), "failed"],
    [sum(pace.ended_otherwise), "skipped or interrupted"],
  ] as const;
  const words = parts.filter(([number]) => number > 0).map(([number, word]) => `${count(number)} ${word}`);
  return `in the last hour ${words.join(", ") || "none"}`;
}

/** Say how many ran and waited when they were the most: `in the last hour at most 12 ran, 40 waited`. */
export function busiestInWords(pace: Pace): string {
  const most = (numbers: readonly (number | null)[]): string => count(Math.max(0, ...numbers.map(Number)));
  return `in the last hour at most ${most(pace.running)} ran, ${most(pace.waiting)} waited`;
}

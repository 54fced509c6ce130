// What the kinds of errors and causes of the API mean, in words.

import type { Shapes } from "./api/client";

export const ERROR_WORDS: Record<Shapes["ErrorKind"], string> = {
  cancelled: "stopped",
  condition: "its condition can't be evaluated",
  deadline: "past its deadline",
  dispatch: "its proplet did not answer",
  exit_code: "ended with an exit code",
  fuel: "used up its fuel",
  inputs: "its inputs don't fit",
  limit: "reached a limit",
  lost: "lost too often",
  memory: "reached its memory limit",
  module: "its module can't be used",
  other: "failed",
  output: "reached its output limit",
  queue_timeout: "waited too long for a proplet",
  refused: "its proplet does not allow what it asks for",
  returned: "returned an error",
  stack: "used up its stack",
  timeout: "took longer than it may",
  trap: "trapped",
};

type Cause = Shapes["CauseView"];

const CAUSES: Record<Shapes["CauseKind"], string> = {
  manager: "the manager",
  outer_task: "the task that runs its workflow",
  parent: "a parent ended",
  placement: "a proplet had room",
  proplet: "its proplet said so",
  proplet_lost: "its proplet was lost",
  task: "another task",
  timer: "a timer",
  unknown: "unknown",
  user: "a user",
  workflow: "its workflow",
};

const TIMERS: Record<Shapes["TimerOf"], string> = {
  deadline: "its deadline",
  group: "the timeout of its workflow or job",
  queue: "its queue timeout",
  retry: "time to try again",
  schedule: "its schedule",
};

/** Say what made a task change its state. */
export function causeInWords(cause: Cause): string {
  return cause.kind === "timer" && cause.timer ? TIMERS[cause.timer] : CAUSES[cause.kind];
}

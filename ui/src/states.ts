// The states of tasks, workflows and jobs, as the API numbers them: a word, a colour and a shape for each. The shape
// says the same as the colour, for people who do not see colours.

export const STATES = [
  "pending",
  "scheduled",
  "running",
  "completed",
  "failed",
  "skipped",
  "interrupted",
] as const;
export type StateWord = (typeof STATES)[number];

export const PENDING = 0;
export const SCHEDULED = 1;
export const RUNNING = 2;
export const COMPLETED = 3;
export const FAILED = 4;
export const SKIPPED = 5;
export const INTERRUPTED = 6;

export function wordOf(state: number): StateWord {
  return STATES[state] ?? "pending";
}

export function hasEnded(state: number): boolean {
  return state >= COMPLETED;
}

/** What a state means, for people who point at it. */
export const MEANING: Record<StateWord, string> = {
  pending: "created, or waiting for its parents to end",
  scheduled: "ready; waits for a proplet with room",
  running: "on a proplet",
  completed: "ended with a result",
  failed: "ended with an error, or can't be run",
  skipped: "not run, since its parents did not end as it asks",
  interrupted: "stopped by somebody",
};

/** The variable of the theme with the colour of a state. */
export function colourOf(state: StateWord): string {
  return `--state-${state}`;
}

/** Paths in a square of 16: filled, unless the state is in `OUTLINED`. */
export const SHAPES: Record<StateWord, string> = {
  pending: "M8 2.5a5.5 5.5 0 1 0 0 11a5.5 5.5 0 1 0 0-11z",
  scheduled: "M8 2.5a5.5 5.5 0 1 0 0 11a5.5 5.5 0 1 0 0-11zM8 5v3.2l2.2 1.6",
  running: "M4.5 2.8v10.4L13 8z",
  completed: "M2.6 8.4l3.5 3.6l7.3-7.9",
  failed: "M3.6 3.6l8.8 8.8M12.4 3.6l-8.8 8.8",
  skipped: "M2.8 4l4 4l-4 4M8.8 4l4 4l-4 4",
  interrupted: "M3.6 3.6h8.8v8.8h-8.8z",
};

export const OUTLINED: ReadonlySet<StateWord> = new Set([
  "pending",
  "scheduled",
  "completed",
  "failed",
  "skipped",
]);

import type { ReactNode } from "react";
import { colourOf, MEANING, OUTLINED, SHAPES, STATES, type StateWord, wordOf } from "../states";
import { count } from "../words";
import "./state.css";

/** The sign of a state, without its word. */
export function StateSign({ state, size = 16 }: { state: StateWord; size?: number }): ReactNode {
  return (
    <svg
      className="state-sign"
      data-outlined={OUTLINED.has(state) || undefined}
      style={{ color: `var(${colourOf(state)})` }}
      width={size}
      height={size}
      viewBox="0 0 16 16"
      aria-hidden="true"
    >
      <path d={SHAPES[state]} />
    </svg>
  );
}

/** A state: its sign and its word. */
export function State({ state }: { state: number | StateWord }): ReactNode {
  const word = typeof state === "number" ? wordOf(state) : state;
  return (
    <span className="state" title={MEANING[word]}>
      <StateSign state={word} />
      {word}
    </span>
  );
}

/** Numbers by state, as `Counts` of the API. */
export type CountsByState = Record<StateWord, number>;

/** A bar that is filled by state, with the numbers as its name. */
export function StateBar({ counts }: { counts: CountsByState }): ReactNode {
  const total = STATES.reduce((sum, state) => sum + counts[state], 0);
  const shown = ["completed", "failed", "interrupted", "skipped", "running", "scheduled", "pending"] as const;
  const words = shown.filter((state) => counts[state] > 0).map((state) => `${count(counts[state])} ${state}`);
  const label = words.join(", ") || "no tasks";
  return (
    <span className="state-bar" role="img" aria-label={label} title={label}>
      {shown
        .filter((state) => counts[state] > 0)
        .map((state) => (
          <span
            key={state}
            style={{ flexGrow: counts[state] / total, backgroundColor: `var(${colourOf(state)})` }}
            data-state={state}
          />
        ))}
    </span>
  );
}

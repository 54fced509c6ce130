import type { ReactNode } from "react";
import { LIVENESS_MEANING, LIVENESS_WORDS, type Liveness } from "./proplets";

/** Paths in a square of 16. The shape says the same as the colour. */
const SHAPES: Record<Liveness, string> = {
  alive: "M8 3a5 5 0 1 0 0 10a5 5 0 1 0 0-10z",
  cordoned: "M3.5 3h3.2v10H3.5zM9.3 3h3.2v10H9.3z",
  draining: "M6.4 2.5h3.2v5.2h3.2L8 13.4L3.2 7.7h3.2z",
  lost: "M3.2 4.6L4.6 3.2L8 6.6l3.4-3.4l1.4 1.4L9.4 8l3.4 3.4l-1.4 1.4L8 9.4l-3.4 3.4l-1.4-1.4L6.6 8z",
};

const COLOURS: Record<Liveness, string> = {
  alive: "--state-completed",
  cordoned: "--state-scheduled",
  draining: "--state-interrupted",
  lost: "--state-failed",
};

export function LivenessSign({ of, size = 14 }: { of: Liveness; size?: number }): ReactNode {
  return (
    <svg
      className="state-sign"
      style={{ color: `var(${COLOURS[of]})` }}
      width={size}
      height={size}
      viewBox="0 0 16 16"
      aria-hidden="true"
    >
      <path d={SHAPES[of]} />
    </svg>
  );
}

/** How a proplet is: its sign and its word. */
export function LivenessState({ of }: { of: Liveness }): ReactNode {
  return (
    <span className="state" title={LIVENESS_MEANING[of]}>
      <LivenessSign of={of} />
      {LIVENESS_WORDS[of]}
    </span>
  );
}

// Earlier runs as a row of bars: the height is how long one took, its colour and shape are how it ended.

import type { ReactNode } from "react";
import { colourOf, type StateWord, wordOf } from "../states";
import { duration } from "../words";
import "./sparkline.css";

export type EarlierRun = {
  state: number;
  /** Seconds; left out of one that has not ended, or never ran. */
  duration?: number;
};

const BAR = 5;
const STEP = 7;
const HEIGHT = 24;
/** Above the highest bar there is room for the mark of one that failed. */
const TALLEST = 18;
const SHORTEST = 4;

/** Give the height of each run's bar; the longest has the tallest. */
export function heights(runs: readonly EarlierRun[]): number[] {
  const longest = Math.max(0, ...runs.map((run) => run.duration ?? 0));
  return runs.map((run) =>
    longest === 0
      ? SHORTEST
      : Math.max(SHORTEST, Math.round(((run.duration ?? 0) / longest) * TALLEST * 2) / 2),
  );
}

/** Say what the bars say: `3 earlier runs: 2 completed, 1 failed; 1.2 s to 4.0 s`. */
export function runsInWords(runs: readonly EarlierRun[]): string {
  const words = new Map<StateWord, number>();
  for (const run of runs) words.set(wordOf(run.state), (words.get(wordOf(run.state)) ?? 0) + 1);
  const states = [...words].map(([word, number]) => `${number} ${word}`).join(", ");
  const times = runs.flatMap((run) => (run.duration === undefined ? [] : [run.duration]));
  const span = times.length ? `; ${duration(Math.min(...times))} to ${duration(Math.max(...times))}` : "";
  return `${runs.length} earlier ${runs.length === 1 ? "run" : "runs"}: ${states}${span}`;
}

/** `runs` has the newest first, as the API; it is drawn at the right. */
export function Sparkline({ runs }: { runs: readonly EarlierRun[] }): ReactNode {
  if (runs.length === 0) return <span className="quiet">–</span>;
  const shown = [...runs].reverse();
  const tall = heights(shown);
  return (
    <svg
      className="sparkline"
      width={shown.length * STEP}
      height={HEIGHT}
      viewBox={`0 0 ${shown.length * STEP} ${HEIGHT}`}
      role="img"
      aria-label={runsInWords(runs)}
    >
      <title>{runsInWords(runs)}</title>
      {shown.map((run, at) => (
        <Bar key={at} state={wordOf(run.state)} x={at * STEP + 1} height={tall[at] ?? SHORTEST}>
          {run.duration === undefined ? wordOf(run.state) : `${wordOf(run.state)}, ${duration(run.duration)}`}
        </Bar>
      ))}
    </svg>
  );
}

function Bar(props: { state: StateWord; x: number; height: number; children: string }): ReactNode {
  const { state, x, height } = props;
  const y = HEIGHT - height;
  const isFilled = state === "completed" || state === "failed";
  return (
    <g style={{ color: `var(${colourOf(state)})` }}>
      <title>{props.children}</title>
      <rect x={x - 1} y={0} width={STEP} height={HEIGHT} fill="transparent" />
      {isFilled ? (
        <rect x={x} y={y} width={BAR} height={height} rx={1} fill="currentColor" />
      ) : (
        <rect
          x={x + 0.5}
          y={y + 0.5}
          width={BAR - 1}
          height={height - 1}
          rx={1}
          fill="none"
          stroke="currentColor"
          strokeDasharray={state === "interrupted" ? undefined : "2 1.5"}
        />
      )}
      {state === "failed" && (
        <path
          d={`M${x} ${y - 5.5}l${BAR} 4M${x + BAR} ${y - 5.5}l-${BAR} 4`}
          stroke="currentColor"
          strokeWidth={1.3}
        />
      )}
    </g>
  );
}

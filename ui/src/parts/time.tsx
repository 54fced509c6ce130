import { type ReactNode, useSyncExternalStore } from "react";
import { managerNow } from "../live/manager-clock";
import { ago, clock, duration, utc } from "../words";

// One clock for the whole page: what shows a running time is drawn anew each second, and nothing else.
let now = managerNow();
const listeners = new Set<() => void>();
let ticking: ReturnType<typeof setInterval> | undefined;

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  ticking ??= setInterval(() => {
    now = managerNow();
    for (const one of listeners) one();
  }, 1000);
  return () => {
    listeners.delete(listener);
    if (listeners.size === 0) {
      clearInterval(ticking);
      ticking = undefined;
    }
  };
}

/** The time now, ms, once a second. */
export function useNow(): number {
  return useSyncExternalStore(subscribe, () => now);
}

/** A time in the reader's zone, with the exact UTC for those who point at it; a dash for none. */
export function Time({ at, relative = false }: { at: number; relative?: boolean }): ReactNode {
  const current = useNow();
  if (!at) return <span className="quiet">–</span>;
  return (
    <time dateTime={new Date(at).toISOString()} title={utc(at)}>
      {relative ? ago(at, current) : clock(at, current)}
    </time>
  );
}

/** How long something took, or takes so far; a dash where it has not begun. */
export function Took({ from, to }: { from: number; to: number }): ReactNode {
  if (!from) return <span className="quiet">–</span>;
  return to ? <span className="number">{duration((to - from) / 1000)}</span> : <SoFar from={from} />;
}

function SoFar({ from }: { from: number }): ReactNode {
  const current = useNow();
  return <span className="number">{duration(Math.max(0, Math.round((current - from) / 1000)))}</span>;
}

// Asks the worker for layouts; the newest question counts.

import { type RefObject, useEffect, useMemo, useState } from "react";
import { loadAnew } from "../../live/later";
import { patternsOf } from "./fold";
import type { Layout, LayoutInput } from "./layout";
import type { Structure } from "./structure";

class LayoutWorker {
  private readonly worker = new Worker(new URL("./layout.worker.ts", import.meta.url), { type: "module" });
  private number = 0;
  private waiting: ((layout: Layout) => void) | null = null;
  private failing: ((error: unknown) => void) | null = null;

  constructor() {
    this.worker.onmessage = ({ data }: MessageEvent<{ number: number; layout: Layout }>) => {
      if (data.number === this.number) this.waiting?.(data.layout);
    };
    this.worker.onerror = ({ message }) => {
      const fail = (error: unknown): void => this.failing?.(error);
      // A worker that could not be loaded has nothing to say.
      if (message) fail(new Error(`The layout broke off: ${message}`));
      else loadAnew().catch(fail);
    };
  }

  ask(input: LayoutInput, onLayout: (layout: Layout) => void, onError: (error: unknown) => void): () => void {
    this.number += 1;
    this.waiting = onLayout;
    this.failing = onError;
    this.worker.postMessage({ number: this.number, input });
    return () => {
      this.waiting = null;
      this.failing = null;
    };
  }
}

// One for all pages, begun while the graph is still on its way.
let shared: LayoutWorker | undefined;

export function layoutWorker(): LayoutWorker {
  shared ??= new LayoutWorker();
  return shared;
}

/** A layout with the structure that it is of. */
export type LaidOut = { structure: Structure; layout: Layout };

/** Give the layout of a graph; the one before while the next is made. */
export function useLayout(
  structure: Structure,
  open: readonly number[],
  aspect: RefObject<number>,
): { laidOut: LaidOut | null; isBusy: boolean } {
  const [laidOut, setLaidOut] = useState<LaidOut | null>(null);
  const [isBusy, setBusy] = useState(true);
  const [error, setError] = useState<unknown>(null);
  if (error !== null) throw error;
  const patterns = useMemo(() => patternsOf(structure), [structure]);
  useEffect(() => {
    setBusy(true);
    const { count, edges } = structure;
    const onLayout = (layout: Layout): void => {
      setLaidOut({ structure, layout });
      setBusy(false);
    };
    return layoutWorker().ask({ count, edges, patterns, open, aspect: aspect.current }, onLayout, setError);
  }, [structure, patterns, open, aspect]);
  return { laidOut, isBusy };
}

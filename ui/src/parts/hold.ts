// Keeps new rows out of a list while somebody is at it, so that no row moves away from under a pointer.

import { useCallback, useEffect, useRef, useState } from "react";

/** How long after its last move a pointer counts as being at the list. */
const REST_MS = 2_000;

/** Part rows into those that are shown, and how many came since and wait; what follows behind the last moves none. */
export function parted<Row>(
  rows: readonly Row[],
  held: ReadonlySet<string> | null,
  idOf: (row: Row) => string,
): { shown: readonly Row[]; waiting: number } {
  const last = held === null ? -1 : rows.findLastIndex((row) => held.has(idOf(row)));
  const shown = rows.filter((row, at) => at > last || held?.has(idOf(row)));
  return { shown, waiting: rows.length - shown.length };
}

export type Hold = {
  /** What was shown when somebody came to the list; null while nobody is at it. */
  held: ReadonlySet<string> | null;
  onPointerMove: () => void;
  onFocus: () => void;
  onBlur: () => void;
  release: () => void;
};

/**
 * Hold a list while a pointer moves over it, something in it has the focus, or `isKept`.
 *
 * @param ids of the rows that are there now
 * @param question what was asked for; the answer to another one is not held
 */
export function useHold(ids: readonly string[], question: string, isKept: boolean): Hold {
  const [held, setHeld] = useState<{ question: string; ids: ReadonlySet<string> } | null>(null);
  const newest = useRef({ ids, question, isKept });
  newest.current = { ids, question, isKept };
  const hasFocus = useRef(false);
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  const letGo = useCallback(() => {
    clearTimeout(timer.current);
    timer.current = setTimeout(() => {
      if (!hasFocus.current && !newest.current.isKept) setHeld(null);
    }, REST_MS);
  }, []);
  const take = useCallback(() => {
    const { ids, question } = newest.current;
    setHeld((now) => (now?.question === question ? now : { question, ids: new Set(ids) }));
  }, []);
  useEffect(() => {
    if (isKept) take();
    else letGo();
  }, [isKept, take, letGo]);
  useEffect(() => () => clearTimeout(timer.current), []);
  return {
    held: held?.question === question ? held.ids : null,
    onPointerMove: useCallback(() => {
      take();
      letGo();
    }, [take, letGo]),
    onFocus: useCallback(() => {
      hasFocus.current = true;
      take();
    }, [take]),
    onBlur: useCallback(() => {
      hasFocus.current = false;
      letGo();
    }, [letGo]),
    release: useCallback(() => {
      const { ids, question } = newest.current;
      setHeld({ question, ids: new Set(ids) });
      letGo();
    }, [letGo]),
  };
}

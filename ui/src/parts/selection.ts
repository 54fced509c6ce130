// Which rows of a list are selected.

import { useMemo, useRef, useState } from "react";

/** Give the ids from one to another, both included, in the order in which they are shown. */
export function between(shown: readonly string[], from: string, to: string): readonly string[] {
  const ends = [shown.indexOf(from), shown.indexOf(to)].sort((a, b) => a - b);
  const [first = -1, last = -1] = ends;
  return first < 0 ? [to] : shown.slice(first, last + 1);
}

/** Give a selection in which some ids are, or are not. */
export function marked(
  selected: ReadonlySet<string>,
  ids: readonly string[],
  isSelected: boolean,
): ReadonlySet<string> {
  const next = new Set(selected);
  for (const id of ids) {
    if (isSelected) next.add(id);
    else next.delete(id);
  }
  return next;
}

export type Selection = {
  /** Those of the rows that are shown. */
  ids: ReadonlySet<string>;
  /** Mark one, or with `isRange` all from the one that was marked before to this one. */
  mark: (id: string, isSelected: boolean, isRange: boolean) => void;
  /** Select just these. */
  select: (ids: readonly string[]) => void;
};

/** Keep which of the rows that are shown are selected; what is no longer shown no longer counts. */
export function useSelection(shown: readonly string[]): Selection {
  const [selected, setSelected] = useState<ReadonlySet<string>>(new Set());
  const before = useRef<string | null>(null);
  return useMemo(() => {
    const there = new Set(shown);
    return {
      ids: new Set([...selected].filter((id) => there.has(id))),
      mark: (id, isSelected, isRange) => {
        const from = isRange && before.current !== null ? before.current : id;
        before.current = id;
        setSelected((now) => marked(now, between(shown, from, id), isSelected));
      },
      select: (ids) => setSelected(new Set(ids)),
    };
  }, [selected, shown]);
}

// What is marked in a scene: the selection, what the search found, the critical path.

import { useMemo, useRef } from "react";
import { criticalPath } from "./critical";
import { findStates, findText } from "./finding";
import type { Marks } from "./paint";
import type { Scene } from "./scene";
import { at } from "./structure";
import { useCalm, type ViewProps } from "./views";

/** What depends on all tasks is worked out anew at most that often. */
const ALL_MS = 500;

/** Give the marks; `box` is one of many tasks that is selected as a whole. */
export function useMarks(
  scene: Scene | null,
  { model, version, address, selected }: ViewProps,
  box: number | null,
): Marks | null {
  const calm = useCalm(version, ALL_MS);
  const hits = useMemo(() => findText(model.structure, address.text), [model.structure, address.text]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: the states in the model change with the version
  const asked = useMemo(() => findStates(model, address.states), [model, calm, address.states]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: as above
  const newPath = useMemo(() => criticalPath(model), [model, calm]);
  const path = useSame(newPath);
  return useMemo(() => {
    if (scene === null || scene.model.structure !== model.structure) return null;
    const { boxOf } = scene.layout;
    const critical = new Uint8Array(model.structure.count);
    for (const task of path) critical[task] = 1;
    const criticalEdges: number[] = [];
    for (let step = 1; step < path.length; step++) {
      const edge = scene.edgeBetween(at(boxOf, at(path, step - 1)), at(boxOf, at(path, step)));
      if (edge !== undefined) criticalEdges.push(edge);
    }
    const ownBox = selected === null ? box : at(boxOf, selected);
    return { task: selected, box: ownBox, hits, asked, critical, criticalEdges };
  }, [scene, model.structure, path, hits, asked, selected, box]);
}

/** Give the list before as long as the next is equal, so that nothing is drawn for it. */
function useSame(next: readonly number[]): readonly number[] {
  const before = useRef(next);
  const isSame =
    before.current.length === next.length && before.current.every((one, place) => one === next[place]);
  if (!isSame) before.current = next;
  return before.current;
}

// What keys do to the task of a row. The row knows too little of it, so it is asked for first.

import { useMemo, useState } from "react";
import type { RowKey } from "../../parts/row-keys";
import { useTaskAsk } from "../task/actions";
import { actionsOf, TASK_KEYS } from "../task/deeds";
import { fetchTask } from "../task/task-query";

/** Give the keys, and why the last one could not be heeded; null if it was. */
export function useTaskActs(): { acts: readonly RowKey[]; error: unknown } {
  const ask = useTaskAsk();
  const [error, setError] = useState<unknown>(null);
  const acts = useMemo(
    () =>
      TASK_KEYS.map(({ keys, text, wanted }) => ({
        keys,
        text,
        act: ([id = ""]: readonly string[]) => {
          setError(null);
          fetchTask(id).then((task) => {
            const action = wanted.find((one) => actionsOf(task).includes(one));
            if (action) ask(action, task);
          }, setError);
        },
      })),
    [ask],
  );
  return { acts, error };
}

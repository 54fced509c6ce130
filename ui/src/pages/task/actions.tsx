// What a reader can do with a task. Each asks first, and says what will happen.

import { type Query, useQueryClient } from "@tanstack/react-query";
import { type ReactNode, useCallback } from "react";
import { Button, Toolbar } from "react-aria-components";
import { useLocation } from "wouter";
import { FILTERED } from "../../live/list";
import { LIVE } from "../../live/overview";
import { useConfirm } from "../../parts/confirm";
import { type Key, useKeys } from "../../parts/keys";
import { type Action, actionsOf, TASK_KEYS } from "./deeds";
import { ownerOf } from "./owner";
import { questionsOf } from "./questions";
import type { Task } from "./task-query";

const WORDS: Record<Action, string> = {
  start: "Start",
  stop: "Stop",
  startAgain: "Start again",
  rerunFrom: "Rerun from here",
  edit: "Edit inputs",
  remove: "Delete",
};

/** Give the function that asks before it does something to a task. */
export function useTaskAsk(): (action: Action, task: Task, onRemoved?: () => void) => void {
  const confirm = useConfirm();
  const queries = useQueryClient();
  return useCallback(
    (action, task, onRemoved) => {
      const question = questionsOf(task)[action]();
      confirm({
        ...question,
        act: async () => {
          let isRemoved = false;
          try {
            await question.act();
            isRemoved = action === "remove";
            if (isRemoved) onRemoved?.();
          } finally {
            // What has been deleted is not asked for again on the way to another place.
            const predicate = ({ queryKey }: Query): boolean => !(isRemoved && queryKey.includes(task.id));
            void queries.invalidateQueries({ queryKey: [FILTERED], predicate });
            await queries.invalidateQueries({ queryKey: [LIVE], predicate });
          }
        },
      });
    },
    [confirm, queries],
  );
}

export function Actions({ task, onClose }: { task: Task; onClose?: () => void }): ReactNode {
  const ask = useTaskAsk();
  const [, go] = useLocation();
  const actions = actionsOf(task);
  const act = (action: Action): void => {
    const owner = ownerOf(task);
    ask(
      action,
      task,
      onClose ?? (() => go(owner ? `/${owner.kind}s/${encodeURIComponent(owner.id)}` : "/tasks")),
    );
  };
  useKeys("This task", keysOf(actions, act), "panel");
  return (
    <Toolbar className="task-actions" aria-label="What to do with the task">
      {actions.map((action) => (
        <Button
          key={action}
          className="button"
          data-look={action === "remove" ? "danger" : undefined}
          onPress={() => act(action)}
        >
          {WORDS[action]}
        </Button>
      ))}
    </Toolbar>
  );
}

/** Give the keys of `propeller top`, which open the same questions as the buttons. */
function keysOf(actions: readonly Action[], act: (action: Action) => void): readonly Key[] {
  return TASK_KEYS.map(({ keys, text, wanted }) => ({
    keys,
    text,
    act: () => {
      const action = wanted.find((one) => actions.includes(one));
      if (action) act(action);
    },
  }));
}

// What a reader can do with a proplet. Each asks first, and says what becomes of its tasks.

import { useQueryClient } from "@tanstack/react-query";
import { type ReactNode, useCallback, useMemo, useState } from "react";
import { Button } from "react-aria-components";
import { useLocation } from "wouter";
import { api, ask } from "../../api/client";
import { newKey } from "../../api/once";
import { LIVE } from "../../live/overview";
import { type Question, useConfirm } from "../../parts/confirm";
import { CopyAs } from "../../parts/copy-as";
import { flag, idWords, type Recipe, recipeOf } from "../../parts/recipe";
import { count, shortened, visible } from "../../words";
import { livenessOf, type PropletView } from "./proplets";

/** After how long a drain moves what still runs; "" for never. */
const DRAIN_TIMES: readonly [string, string][] = [
  ["", "never: wait for their end"],
  ["1m", "after 1 minute"],
  ["5m", "after 5 minutes"],
  ["1h", "after 1 hour"],
  ["0s", "at once"],
];

function pathOf(id: string): string {
  return `/proplets/${encodeURIComponent(id)}`;
}

/** Say how the same is done elsewhere. */
function recipeFor(id: string, verb: "cordon" | "uncordon" | "drain", timeout = ""): Recipe {
  const query = timeout === "" ? "" : `?timeout=${encodeURIComponent(timeout)}`;
  const flags = timeout === "" ? [] : [flag("timeout", timeout)];
  return recipeOf("POST", `${pathOf(id)}/${verb}${query}`, ["proplets", verb, ...flags, ...idWords(id)]);
}

export type Action = "cordon" | "uncordon" | "drain" | "forget";

const WORDS: Record<Action, string> = {
  cordon: "Cordon",
  uncordon: "Uncordon",
  drain: "Drain",
  forget: "Forget",
};

/** Give what can be done to a proplet as it is now. */
export function actionsOf(proplet: PropletView): readonly Action[] {
  const isLost = livenessOf(proplet) === "lost";
  return [proplet.cordoned ? "uncordon" : "cordon", isLost ? "forget" : "drain"];
}

type Keyed = { keys: string; text: string; action: Action };

/** The keys of `propeller top`, which open the same questions as the buttons. */
export const PROPLET_KEYS: readonly Keyed[] = [
  { keys: "c", text: "Cordon the proplet", action: "cordon" },
  { keys: "u", text: "Uncordon the proplet", action: "uncordon" },
  { keys: "D", text: "Drain the proplet", action: "drain" },
  { keys: "d", text: "Forget the proplet, if it is lost", action: "forget" },
];

/** Give the function that asks before it does something to a proplet, if that can be done. */
export function usePropletAsk(): (action: Action, proplet: PropletView) => void {
  const confirm = useConfirm();
  const queries = useQueryClient();
  const [, go] = useLocation();
  return useCallback(
    (action, proplet) => {
      if (!actionsOf(proplet).includes(action) || isHeld(action, proplet)) return;
      const question = QUESTIONS[action](proplet, shortened(visible(proplet.name || proplet.id), 40));
      confirm({
        ...question,
        act: async () => {
          try {
            await question.act();
            if (action === "forget") go("/proplets");
          } finally {
            await Promise.all([[LIVE], ["paced"]].map((queryKey) => queries.invalidateQueries({ queryKey })));
          }
        },
      });
    },
    [confirm, queries, go],
  );
}

/** Say whether something has to wait: one that has tasks can't be forgotten. */
function isHeld(action: Action, proplet: PropletView): boolean {
  return action === "forget" && proplet.task_count > 0;
}

export function PropletActions({
  proplet,
  isQuiet = false,
}: {
  proplet: PropletView;
  isQuiet?: boolean;
}): ReactNode {
  const ask = usePropletAsk();
  const name = shortened(visible(proplet.name || proplet.id), 40);
  return actionsOf(proplet).map((action) => (
    <Button
      key={action}
      className={isQuiet ? "quiet-button" : "button"}
      aria-label={`${WORDS[action]} ${name}`}
      onPress={() => ask(action, proplet)}
      isDisabled={isHeld(action, proplet)}
      data-look={action === "forget" && !isQuiet ? "danger" : undefined}
    >
      {WORDS[action]}
    </Button>
  ));
}

type Params = { path: { id: string }; header: { "Idempotency-Key": string } };

function paramsOf(proplet: PropletView, key: string): Params {
  return { path: { id: proplet.id }, header: { "Idempotency-Key": key } };
}

const QUESTIONS: Record<Action, (proplet: PropletView, name: string) => Question> = {
  cordon: (proplet, name) => {
    const params = paramsOf(proplet, newKey());
    return {
      title: `Cordon ${name}?`,
      text: `It gets no new tasks. ${tasksOf(proplet)} on until they end. Tasks that are pinned to it wait. Uncordon takes it back.`,
      action: "Cordon",
      recipe: recipeFor(proplet.id, "cordon"),
      act: () => ask(api.POST("/proplets/{id}/cordon", { params })),
    };
  },
  uncordon: (proplet, name) => {
    const params = paramsOf(proplet, newKey());
    return {
      title: `Uncordon ${name}?`,
      text: "It gets tasks again. A drain of it ends.",
      action: "Uncordon",
      recipe: recipeFor(proplet.id, "uncordon"),
      act: () => ask(api.POST("/proplets/{id}/uncordon", { params })),
    };
  },
  drain: (proplet, name) => {
    const time = { current: "" };
    const key = newKey();
    return {
      title: `Drain ${name}?`,
      text: <DrainForm proplet={proplet} time={time} />,
      action: "Drain",
      isDangerous: true,
      act: () =>
        ask(
          api.POST("/proplets/{id}/drain", {
            params: {
              ...paramsOf(proplet, `${key}-${time.current}`),
              ...(time.current ? { query: { timeout: time.current } } : {}),
            },
          }),
        ),
    };
  },
  forget: (proplet, name) => ({
    title: `Forget ${name}?`,
    text: "It is taken off the list, with its samples. If its program starts again, it comes back as a new one.",
    action: "Forget",
    recipe: recipeOf("DELETE", pathOf(proplet.id), ["proplets", "delete", ...idWords(proplet.id)]),
    isDangerous: true,
    act: () => ask(api.DELETE("/proplets/{id}", { params: { path: { id: proplet.id } } })),
  }),
};

function tasksOf({ task_count: tasks }: PropletView): string {
  if (tasks === 0) return "It has no tasks now; what it may still get goes";
  return tasks === 1 ? "The one task that it has goes" : `The ${count(tasks)} tasks that it has go`;
}

function DrainForm({ proplet, time }: { proplet: PropletView; time: { current: string } }): ReactNode {
  const [chosen, choose] = useState("");
  const recipe = useMemo(() => recipeFor(proplet.id, "drain", chosen), [proplet.id, chosen]);
  return (
    <>
      <p>
        It gets no new tasks
        {proplet.task_count > 0 && `, and the ${count(proplet.task_count)} that it has may end`}. A task that
        is moved is stopped here and begins anew on another proplet; that does not count as a failure.
      </p>
      <label className="drain-field">
        Move what still runs{" "}
        <select
          className="field"
          defaultValue=""
          onChange={(event) => {
            time.current = event.target.value;
            choose(event.target.value);
          }}
        >
          {DRAIN_TIMES.map(([value, text]) => (
            <option key={value} value={value}>
              {text}
            </option>
          ))}
        </select>
      </label>
      <CopyAs recipe={recipe} />
    </>
  );
}

// What a reader can do with a proplet. Each asks first, and says what becomes of its tasks.

import { useQueryClient } from "@tanstack/react-query";
import { type ReactNode, useMemo, useRef, useState } from "react";
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

export function PropletActions({
  proplet,
  isQuiet = false,
}: {
  proplet: PropletView;
  isQuiet?: boolean;
}): ReactNode {
  const confirm = useConfirm();
  const queries = useQueryClient();
  const [, go] = useLocation();
  const drainTime = useRef("");
  const liveness = livenessOf(proplet);
  const name = shortened(visible(proplet.name || proplet.id), 40);
  const look = isQuiet ? "quiet-button" : "button";
  const asked = (question: Question): void =>
    confirm({
      ...question,
      act: async () => {
        try {
          await question.act();
        } finally {
          await Promise.all([[LIVE], ["paced"]].map((queryKey) => queries.invalidateQueries({ queryKey })));
        }
      },
    });
  const params = (key: string): { path: { id: string }; header: { "Idempotency-Key": string } } => ({
    path: { id: proplet.id },
    header: { "Idempotency-Key": key },
  });
  const cordon = (): void => {
    const key = newKey();
    asked({
      title: `Cordon ${name}?`,
      text: `It gets no new tasks. ${tasksOf(proplet)} on until they end. Tasks that are pinned to it wait. Uncordon takes it back.`,
      action: "Cordon",
      recipe: recipeFor(proplet.id, "cordon"),
      act: () => ask(api.POST("/proplets/{id}/cordon", { params: params(key) })),
    });
  };
  const uncordon = (): void => {
    const key = newKey();
    asked({
      title: `Uncordon ${name}?`,
      text: "It gets tasks again. A drain of it ends.",
      action: "Uncordon",
      recipe: recipeFor(proplet.id, "uncordon"),
      act: () => ask(api.POST("/proplets/{id}/uncordon", { params: params(key) })),
    });
  };
  const drain = (): void => {
    drainTime.current = "";
    const key = newKey();
    asked({
      title: `Drain ${name}?`,
      text: <DrainForm proplet={proplet} time={drainTime} />,
      action: "Drain",
      isDangerous: true,
      act: () =>
        ask(
          api.POST("/proplets/{id}/drain", {
            params: {
              ...params(`${key}-${drainTime.current}`),
              ...(drainTime.current ? { query: { timeout: drainTime.current } } : {}),
            },
          }),
        ),
    });
  };
  const forget = (): void =>
    asked({
      title: `Forget ${name}?`,
      text: "It is taken off the list, with its samples. If its program starts again, it comes back as a new one.",
      action: "Forget",
      recipe: recipeOf("DELETE", pathOf(proplet.id), ["proplets", "delete", ...idWords(proplet.id)]),
      isDangerous: true,
      act: async () => {
        await ask(api.DELETE("/proplets/{id}", { params: { path: { id: proplet.id } } }));
        go("/proplets");
      },
    });
  return (
    <>
      {proplet.cordoned ? (
        <Button className={look} aria-label={`Uncordon ${name}`} onPress={uncordon}>
          Uncordon
        </Button>
      ) : (
        <Button className={look} aria-label={`Cordon ${name}`} onPress={cordon}>
          Cordon
        </Button>
      )}
      {liveness !== "lost" && (
        <Button className={look} aria-label={`Drain ${name}`} onPress={drain}>
          Drain
        </Button>
      )}
      {liveness === "lost" && (
        <Button
          className={look}
          aria-label={`Forget ${name}`}
          onPress={forget}
          isDisabled={proplet.task_count > 0}
          {...(isQuiet ? {} : { "data-look": "danger" })}
        >
          Forget
        </Button>
      )}
    </>
  );
}

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

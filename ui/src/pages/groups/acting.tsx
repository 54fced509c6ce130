// The buttons for what is selected, and what could not be done.

import { useQueryClient } from "@tanstack/react-query";
import { type ReactNode, useCallback, useMemo, useState } from "react";
import { Button } from "react-aria-components";
import { api, ask, Refused } from "../../api/client";
import { newKey } from "../../api/once";
import { FILTERED } from "../../live/list";
import { LIVE } from "../../live/overview";
import { useConfirm } from "../../parts/confirm";
import { DEED_KEYS } from "../../parts/deeds";
import type { RowKey } from "../../parts/row-keys";
import type { Selection } from "../../parts/selection";
import { count, shortened, visible } from "../../words";
import {
  type Action,
  type BulkFailure,
  carryOut,
  isOpenTo,
  type Plan,
  planOf,
  recipeForMany,
  wordFor,
} from "./bulk";
import type { GroupRow, Kind } from "./rows";

const ACTIONS: readonly Action[] = ["start", "stop", "rerun-failed", "rerun-all", "delete"];

/** Give the function that asks before it does something to some. */
export function useBulk(
  kind: Kind,
  selection: Selection,
  onFailures: (of: Failures) => void,
): (action: Action, rows: readonly GroupRow[]) => void {
  const confirm = useConfirm();
  const queries = useQueryClient();
  return useCallback(
    (action, rows) => {
      const plan = planOf(action, rows, kind);
      const done = new Set<string>();
      const send = sender(kind, action);
      const earlier: BulkFailure[] = [];
      confirm({
        title: plan.title,
        text: <PlanText plan={plan} />,
        action: plan.word,
        isDangerous: plan.isDangerous,
        recipe: recipeForMany(action, plan.rows, kind),
        act: async () => {
          try {
            earlier.push(...(await carryOut(plan.rows, send, done)));
          } finally {
            void queries.invalidateQueries({ queryKey: [LIVE] });
            void queries.invalidateQueries({ queryKey: [FILTERED] });
          }
          selection.select([]);
          onFailures({ word: plan.word, of: plan.rows.length, failures: earlier });
        },
      });
    },
    [kind, selection, onFailures, confirm, queries],
  );
}

/** Give the keys of the list: they do something to those that are selected, or to the one with the focus. */
export function useBulkKeys(
  kind: Kind,
  rows: readonly GroupRow[],
  ask: (action: Action, rows: readonly GroupRow[]) => void,
): readonly RowKey[] {
  return useMemo(
    () =>
      DEED_KEYS.map(({ keys, word, wanted }) => ({
        keys,
        text: `${word} the ${kind}, or all that are selected`,
        act: (ids) => {
          const chosen = rows.filter((row) => ids.includes(row.id));
          const action = wanted.find((one) => chosen.some((row) => isOpenTo(one, row)));
          if (action) ask(action, chosen);
        },
      })),
    [kind, rows, ask],
  );
}

export function BulkActions(props: {
  rows: readonly GroupRow[];
  selection: Selection;
  ask: (action: Action, rows: readonly GroupRow[]) => void;
}): ReactNode {
  const { selection } = props;
  const selected = props.rows.filter((row) => selection.ids.has(row.id));
  if (selected.length === 0) return null;
  return (
    <div className="bulk" role="toolbar" aria-label="What to do with the selected">
      <strong className="number">{count(selected.length)} selected</strong>
      {ACTIONS.map((action) => (
        <Button
          key={action}
          className="button"
          data-look={action === "delete" ? "danger" : undefined}
          isDisabled={!selected.some((row) => isOpenTo(action, row))}
          onPress={() => props.ask(action, selected)}
        >
          {wordFor(action)} …
        </Button>
      ))}
      <Button className="button" onPress={() => selection.select([])}>
        Select none
      </Button>
    </div>
  );
}

function PlanText({ plan }: { plan: Plan }): ReactNode {
  return plan.lines.map((line) => (
    <p className="bulk-line" key={line}>
      {line}
    </p>
  ));
}

/** Give what sends an action to one; each has a key that stays over tries. */
function sender(kind: Kind, action: Action): (row: GroupRow) => Promise<unknown> {
  const keys = new Map<string, string>();
  return async (row) => {
    const key = keys.get(row.id) ?? newKey();
    keys.set(row.id, key);
    const params = { path: { id: row.id }, header: { "Idempotency-Key": key } };
    if (action === "delete") return gone(kind, row.id);
    if (action === "start") {
      return kind === "workflow"
        ? ask(api.POST("/workflows/{id}/start", { params }))
        : ask(api.POST("/jobs/{id}/start", { params }));
    }
    if (action === "stop") {
      return kind === "workflow"
        ? ask(api.POST("/workflows/{id}/stop", { params }))
        : ask(api.POST("/jobs/{id}/stop", { params }));
    }
    const body = { what: action === "rerun-all" ? ("all" as const) : ("failed" as const), from: null };
    return kind === "workflow"
      ? ask(api.POST("/workflows/{id}/rerun", { params, body }))
      : ask(api.POST("/jobs/{id}/rerun", { params, body }));
  };
}

/** Delete one; that it is gone already is what was asked for. */
async function gone(kind: Kind, id: string): Promise<void> {
  const params = { path: { id } };
  try {
    await (kind === "workflow"
      ? ask(api.DELETE("/workflows/{id}", { params }))
      : ask(api.DELETE("/jobs/{id}", { params })));
  } catch (error) {
    if (!(error instanceof Refused && error.status === 404)) throw error;
  }
}

export type Failures = { word: string; of: number; failures: readonly BulkFailure[] };

/** What was refused, one by one; nothing if all went well. */
export function FailuresList({ result, onClose }: { result: Failures; onClose: () => void }): ReactNode {
  const { word, of, failures } = result;
  if (failures.length === 0) return null;
  return (
    <div className="problem bulk-failures" role="alert">
      <div>
        <strong>
          {word}: {count(failures.length)} of {count(of)} could not be done.
        </strong>
        <Button className="button" onPress={onClose}>
          Close
        </Button>
      </div>
      <ul>
        {failures.map((failure) => (
          <li key={failure.id}>
            <strong title={visible(failure.name)}>{visible(shortened(failure.name, 60))}</strong>:{" "}
            {visible(failure.message)}
          </li>
        ))}
      </ul>
    </div>
  );
}

export function useFailures(): [Failures | null, (of: Failures | null) => void] {
  return useState<Failures | null>(null);
}

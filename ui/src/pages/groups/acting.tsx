// The buttons for what is selected, and what could not be done.

import { useQueryClient } from "@tanstack/react-query";
import { type ReactNode, useState } from "react";
import { Button } from "react-aria-components";
import { api, ask, Refused } from "../../api/client";
import { newKey } from "../../api/once";
import { FILTERED } from "../../live/list";
import { LIVE } from "../../live/overview";
import { useConfirm } from "../../parts/confirm";
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

const ACTIONS: readonly Action[] = ["stop", "rerun-failed", "rerun-all", "delete"];

export function BulkActions(props: {
  kind: Kind;
  rows: readonly GroupRow[];
  selection: Selection;
  onFailures: (of: Failures) => void;
}): ReactNode {
  const { kind, selection } = props;
  const confirm = useConfirm();
  const queries = useQueryClient();
  const selected = props.rows.filter((row) => selection.ids.has(row.id));
  const ask = (action: Action): void => {
    const plan = planOf(action, selected, kind);
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
        props.onFailures({ word: plan.word, of: plan.rows.length, failures: earlier });
      },
    });
  };
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
          onPress={() => ask(action)}
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

// The head of the page of a workflow or job: what it is, how it goes, and what can be done to it.

import { useQueryClient } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { Button } from "react-aria-components";
import { Link, useLocation } from "wouter";
import { LIVE } from "../../live/overview";
import { useConfirm } from "../../parts/confirm";
import { DEED_KEYS } from "../../parts/deeds";
import { type Key, useKeys } from "../../parts/keys";
import { Labels } from "../../parts/labels";
import { type CountsByState, State, StateBar } from "../../parts/state";
import { Time, Took } from "../../parts/time";
import { shortened, visible } from "../../words";
import { type Action, actionsOf, effectOf, recipeFor, requestOf, WORDS } from "./actions";
import type { GroupFacts } from "./group_query";
import type { Kind } from "./live";

const DANGEROUS: ReadonlySet<Action> = new Set(["stop", "delete"]);

export function Head(props: {
  kind: Kind;
  id: string;
  facts: GroupFacts;
  /** Newer than those of the facts, where the tasks are known. */
  counts: CountsByState;
  /** False while its keys mean the task that is selected. */
  hasKeys: boolean;
}): ReactNode {
  const { kind, id, facts, counts, hasKeys } = props;
  const name = visible(facts.name || id);
  return (
    <header className="group-head">
      <div className="group-title">
        <span className="group-kind">{kind === "workflow" ? "Workflow" : "Job"}</span>
        <h1 title={name}>{shortened(name, 160)}</h1>
        <State state={facts.state} />
        <Actions kind={kind} id={id} facts={{ ...facts, counts }} name={name} hasKeys={hasKeys} />
      </div>
      <div className="group-facts">
        {facts.name && <span className="mono quiet">{visible(id)}</span>}
        <span className="group-bar">
          <StateBar counts={counts} />
        </span>
        {facts.started > 0 ? (
          <span>
            <Took from={facts.started} to={facts.finished} /> <span className="quiet">· started</span>{" "}
            <Time at={facts.started} />
          </span>
        ) : (
          <span>
            <span className="quiet">created</span> <Time at={facts.created} relative />
          </span>
        )}
        {facts.mode && <span className="quiet">{facts.mode}</span>}
        <Origin kind={kind} facts={facts} />
        <Labels labels={facts.labels} to={(label) => `/${kind}s?label=${encodeURIComponent(label)}`} />
      </div>
    </header>
  );
}

/** What made it, or makes runs of it. */
function Origin({ kind, facts }: { kind: Kind; facts: GroupFacts }): ReactNode {
  return (
    <>
      {facts.schedule && (
        <span>
          <span className="quiet">runs at</span>{" "}
          <code>{shortened(visible(`${facts.schedule} ${facts.timezone}`.trim()), 80)}</code>
          {facts.isPaused && <span className="tag">paused</span>}
          {facts.nextRun > 0 && !facts.isPaused && (
            <>
              <span className="quiet">, next</span> <Time at={facts.nextRun} relative />
            </>
          )}
        </span>
      )}
      {facts.runOf && (
        <span>
          <span className="quiet">run of</span>{" "}
          <Link href={`/${kind}s/${encodeURIComponent(facts.runOf)}`}>
            {shortened(visible(facts.runOf), 40)}
          </Link>
        </span>
      )}
      {facts.runFor && (
        <span>
          <span className="quiet">runs for the task</span>{" "}
          <Link href={`/tasks/${encodeURIComponent(facts.runFor)}`}>
            {shortened(visible(facts.runFor), 40)}
          </Link>
        </span>
      )}
    </>
  );
}

function Actions(props: {
  kind: Kind;
  id: string;
  facts: GroupFacts;
  name: string;
  hasKeys: boolean;
}): ReactNode {
  const { kind, id, facts, name } = props;
  const confirm = useConfirm();
  const queries = useQueryClient();
  const [, go] = useLocation();
  const ask = (action: Action): void => {
    const request = requestOf(action, kind, id);
    confirm({
      title: `${WORDS[action]}: ${shortened(name, 80)}`,
      text: effectOf(action, facts, kind),
      action: WORDS[action],
      isDangerous: DANGEROUS.has(action),
      recipe: recipeFor(action, kind, id),
      act: async () => {
        let place: string | null = null;
        try {
          place = await request();
          if (place !== null) go(place);
        } finally {
          // What has been deleted is not asked for again on the way to another place.
          const refetchType = place === null ? "active" : "none";
          void queries.invalidateQueries({ queryKey: [LIVE], refetchType });
        }
      },
    });
  };
  const actions = actionsOf(facts);
  useKeys(kind === "workflow" ? "Workflow" : "Job", props.hasKeys ? keysOf(actions, ask, kind) : []);
  return (
    <div className="group-actions" role="toolbar" aria-label={`What to do with the ${kind}`}>
      {actions.map((action) => (
        <Button
          key={action}
          className="button"
          data-look={action === "delete" ? "danger" : action === "start" ? "primary" : undefined}
          onPress={() => ask(action)}
        >
          {WORDS[action]}
        </Button>
      ))}
    </div>
  );
}

function keysOf(actions: readonly Action[], ask: (action: Action) => void, kind: Kind): readonly Key[] {
  return DEED_KEYS.map(({ keys, word, wanted }) => ({
    keys,
    text: `${word} the ${kind}`,
    act: () => {
      const action = wanted.find((one) => actions.includes(one));
      if (action) ask(action);
    },
  }));
}

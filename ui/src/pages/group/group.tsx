// One workflow or job: its head, and its tasks as a graph, along the time, or as a table. All three show the same data,
// and what is selected in one is selected in all.

import { type ReactNode, Suspense, useCallback, useEffect, useMemo } from "react";
import { Link } from "wouter";
import { later } from "../../live/later";
import { Empty, isGone, Loading, Problem } from "../../parts/messages";
import type { CountsByState } from "../../parts/state";
import { useTitle } from "../../parts/title";
import { STATES } from "../../states";
import { shortened, visible } from "../../words";
import { KnownChildren } from "../task/known-children";
import type { Relative } from "../task/relatives";
import { useGroupAddress } from "./address";
import { GraphView } from "./graph";
import { useGroupFacts } from "./group_query";
import { Head } from "./head";
import { layoutWorker } from "./layouts";
import { type Kind, useLiveGroup, useVersion } from "./live";
import type { GroupModel } from "./model";
import { at, type Structure } from "./structure";
import { TableView } from "./table";
import { TimelineView } from "./timeline";
import { GroupToolbar } from "./toolbar";
import "./group.css";

const TaskPanel = later(async () => ({ default: (await import("../task/panel")).TaskPanel }));
const VIEWS = { graph: GraphView, timeline: TimelineView, table: TableView };

export default function Group({ kind, id }: { kind: Kind; id: string }): ReactNode {
  const live = useLiveGroup(kind, id);
  const version = useVersion(live);
  const facts = useGroupFacts(kind, id);
  const [address, change] = useGroupAddress();
  useEffect(() => void layoutWorker(), []);
  const { model } = live;
  const selected = useMemo(
    () => (address.task === null ? null : (model?.structure.indexOf.get(address.task) ?? null)),
    [address.task, model],
  );
  const select = useCallback(
    (place: number | null) =>
      change({ task: place === null ? null : (live.model?.structure.ids[place] ?? null) }),
    [live, change],
  );
  const onSelect = useCallback((task: string) => change({ task }), [change]);
  const structure = model?.structure;
  const childrenOf = useCallback(
    (task: string) => (structure ? childrenIn(structure, task) : []),
    [structure],
  );
  const onClose = useCallback(() => change({ task: null }), [change]);
  const name = facts.data?.name || id;
  useTitle(name);

  if (live.state === "gone" || isGone(facts.error))
    return <Gone kind={kind} id={id} wasThere={model !== null} />;
  const View = VIEWS[address.view];
  const counts = model === null ? facts.data?.counts : countsOf(model);
  return (
    <div className="group">
      {facts.data && counts && (
        <Head kind={kind} id={id} facts={facts.data} counts={counts} hasKeys={address.task === null} />
      )}
      {facts.error !== null && <Problem error={facts.error} what={`The ${kind} can't be read.`} />}
      {live.error !== null && <Problem error={live.error} what="The tasks can't be read." />}
      {model === null && live.error === null && <Loading what="Loading the tasks" />}
      {model !== null && counts && model.structure.count > 0 && (
        <>
          <GroupToolbar
            address={address}
            change={change}
            counts={counts}
            model={model}
            selected={selected}
            select={select}
          />
          <div className="group-body" data-has-panel={address.task !== null || undefined}>
            <section className="group-view" aria-label={`Tasks of the ${kind}`}>
              <View
                live={live}
                model={model}
                version={version}
                address={address}
                change={change}
                selected={selected}
                select={select}
              />
            </section>
            {address.task !== null && (
              <aside className="group-panel" aria-label="The selected task">
                <KnownChildren value={childrenOf}>
                  <Suspense fallback={<Loading what="Loading the task" />}>
                    <TaskPanel id={address.task} key={address.task} onSelect={onSelect} onClose={onClose} />
                  </Suspense>
                </KnownChildren>
              </aside>
            )}
          </div>
        </>
      )}
      {model !== null && model.structure.count === 0 && (
        <Empty title={`This ${kind} has no tasks`}>All of them were deleted one by one.</Empty>
      )}
    </div>
  );
}

function childrenIn({ indexOf, children, ids, names, isSequence }: Structure, task: string): Relative[] {
  const place = indexOf.get(task);
  if (place === undefined || isSequence) return [];
  const found = children.items.subarray(at(children.start, place), at(children.start, place + 1));
  return Array.from(found, (child) => ({ id: ids[child] ?? "", name: names[child] ?? "" }));
}

function countsOf(model: GroupModel): CountsByState {
  return Object.fromEntries(
    STATES.map((state, number) => [state, model.counts[number] ?? 0]),
  ) as CountsByState;
}

function Gone({ kind, id, wasThere }: { kind: Kind; id: string; wasThere: boolean }): ReactNode {
  return (
    <Empty title={wasThere ? `This ${kind} has been deleted` : `There is no such ${kind}`}>
      <p>
        {wasThere
          ? "Somebody deleted it while you looked, or it ended long enough ago: its tasks, results and logs are gone."
          : `The manager knows none with the id ${shortened(visible(id), 80)}.`}
      </p>
      <Link href={`/${kind}s`}>Show all {kind}s</Link>
    </Empty>
  );
}

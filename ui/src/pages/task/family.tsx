// The parents and children of a task, and how they fare.

import { useQuery } from "@tanstack/react-query";
import { type ReactNode, useContext, useMemo, useState } from "react";
import { Button } from "react-aria-components";
import { Link } from "wouter";
import { api, ask, type Shapes } from "../../api/client";
import { State } from "../../parts/state";
import { count, shortened, visible } from "../../words";
import { KnownChildren } from "./known-children";
import { ownerOf } from "./owner";
import { childrenOf, type Relative } from "./relatives";
import { type Task, useTask } from "./task-query";

/** Each that is shown is asked for by itself. */
const SHOWN_MAX = 8;
const ALL_SHOWN_MAX = 200;

export type Select = { onSelect?: (taskId: string) => void };

export function Family({ task, ...select }: { task: Task } & Select): ReactNode {
  const owner = ownerOf(task);
  const known = useContext(KnownChildren);
  // Edges don't change while a workflow runs, so its graph is asked for once, and states of those shown are live.
  const graph = useQuery({
    queryKey: ["edges", owner?.kind, owner?.id],
    queryFn: async ({ signal }) => {
      const request = { params: { path: { id: owner?.id ?? "" } }, signal };
      const answer = ask(
        owner?.kind === "job"
          ? api.GET("/jobs/{id}/graph", request)
          : api.GET("/workflows/{id}/graph", request),
      );
      return (await answer) as Shapes["GraphView"];
    },
    enabled: owner !== null && known === null,
  });
  const children = useMemo(() => {
    if (known !== null) return known(task.id);
    return graph.data ? childrenOf(graph.data, task.id) : [];
  }, [known, graph.data, task.id]);
  const parents = (task.depends_on ?? []).map((id) => ({ id, name: "" }));
  if (parents.length === 0 && children.length === 0) return null;
  return (
    <section className="family">
      {task.run_if && (
        <p className="quiet family-if">
          Runs if <code>{shortened(visible(task.run_if), 300)}</code>
        </p>
      )}
      <Relatives title="Parents" relatives={parents} {...select} />
      <Relatives title="Children" relatives={children} {...select} />
    </section>
  );
}

function Relatives({
  title,
  relatives,
  ...select
}: { title: string; relatives: readonly Relative[] } & Select): ReactNode {
  const [isWhole, setWhole] = useState(false);
  if (relatives.length === 0) return null;
  const shown = relatives.slice(0, isWhole ? ALL_SHOWN_MAX : SHOWN_MAX);
  return (
    <div>
      <h2 className="part-title">
        {title} <span className="quiet number">{count(relatives.length)}</span>
      </h2>
      <ul className="relatives">
        {shown.map((one) => (
          <li key={one.id}>
            <RelativeLink relative={one} {...select} />
          </li>
        ))}
      </ul>
      {relatives.length > SHOWN_MAX && (
        <Button className="quiet-button" onPress={() => setWhole(!isWhole)}>
          {isWhole ? "Show fewer" : `Show ${count(Math.min(relatives.length, ALL_SHOWN_MAX))}`}
        </Button>
      )}
    </div>
  );
}

function RelativeLink({ relative, onSelect }: { relative: Relative } & Select): ReactNode {
  const { data } = useTask(relative.id);
  const name = shortened(visible(data?.name || relative.name || relative.id), 60);
  const words = (
    <>
      {name} <code className="quiet">{shortened(visible(relative.id), 36)}</code>
    </>
  );
  return (
    <>
      {data && <State state={data.state} />}
      {onSelect ? (
        <Button className="link-button" onPress={() => onSelect(relative.id)}>
          {words}
        </Button>
      ) : (
        <Link href={`/tasks/${encodeURIComponent(relative.id)}`}>{words}</Link>
      )}
    </>
  );
}

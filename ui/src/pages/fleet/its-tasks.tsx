// What a proplet runs now, and what ran there.

import { keepPreviousData, useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { Link } from "wouter";
import { api, ask } from "../../api/client";
import { LIVE } from "../../live/overview";
import { notYet, Problem } from "../../parts/messages";
import { Meter } from "../../parts/meter";
import { State } from "../../parts/state";
import { Time, Took } from "../../parts/time";
import { hasEnded } from "../../states";
import { count, shortened, timeOf, visible } from "../../words";
import type { PropletView } from "./proplets";

const EARLIER_MAX = 20;

export function RunningNow({ proplet }: { proplet: PropletView }): ReactNode {
  const running = proplet.running ?? [];
  const label = `${count(proplet.task_count)} of ${count(proplet.slots)} slots taken`;
  return (
    <section className="card proplet-part">
      <h2>
        Runs now <span className="quiet number">{label}</span>
      </h2>
      <Meter value={proplet.task_count} of={proplet.slots} label={label} />
      {running.length === 0 && <p className="quiet">It runs nothing.</p>}
      {running.length > 0 && (
        <div className="scroll-x">
          <table className="dense">
            <thead>
              <tr>
                <th scope="col">Task</th>
                <th scope="col">State</th>
                <th scope="col">For</th>
                <th scope="col">In</th>
              </tr>
            </thead>
            <tbody>
              {running.map((task) => (
                <tr key={`${task.task_id} ${task.attempt}`} className="row-end">
                  <td>
                    <TaskLink id={task.task_id} name={task.name} />
                  </td>
                  <td>
                    <State state={task.state} />
                  </td>
                  <td>
                    <Took from={task.started} to={0} />
                  </td>
                  <td>
                    <OwnerLink workflow={task.workflow_id} job={task.job_id} />
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      {proplet.task_count > running.length && (
        <p className="quiet">and {count(proplet.task_count - running.length)} more</p>
      )}
    </section>
  );
}

export function Earlier({ id }: { id: string }): ReactNode {
  const query = useQuery({
    queryKey: [LIVE, "tasks-of-proplet", id],
    queryFn: ({ signal }) =>
      ask(
        api.GET("/tasks", {
          params: { query: { proplet_id: id, order: "newest", limit: EARLIER_MAX, file: false } },
          signal,
        }),
      ),
    placeholderData: keepPreviousData,
  });
  const tasks = query.data?.tasks ?? [];
  return (
    <section className="card proplet-part">
      <h2>
        Tasks that run or ran last here{" "}
        <Link className="proplet-all" href={`/tasks?proplet_id=${encodeURIComponent(id)}`}>
          Show all
        </Link>
      </h2>
      {notYet(query, "the tasks")}
      {query.error ? <Problem error={query.error} /> : null}
      {query.data && tasks.length === 0 && <p className="quiet">None has run here yet.</p>}
      {tasks.length > 0 && (
        <div className="scroll-x">
          <table className="dense">
            <thead>
              <tr>
                <th scope="col">Task</th>
                <th scope="col">State</th>
                <th scope="col">Started</th>
                <th scope="col">Took</th>
                <th scope="col">In</th>
              </tr>
            </thead>
            <tbody>
              {tasks.map((task) => (
                <tr key={task.id} className="row-end">
                  <td>
                    <TaskLink id={task.id} name={task.name} />
                  </td>
                  <td>
                    <State state={task.state} />
                  </td>
                  <td>
                    <Time at={timeOf(task.start_time)} />
                  </td>
                  <td>
                    <Took
                      from={timeOf(task.start_time)}
                      to={hasEnded(task.state) ? timeOf(task.finish_time) : 0}
                    />
                  </td>
                  <td>
                    <OwnerLink workflow={task.workflow_id} job={task.job_id} />
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </section>
  );
}

function TaskLink({ id, name }: { id: string; name: string }): ReactNode {
  return (
    <Link href={`/tasks/${encodeURIComponent(id)}`}>
      {shortened(visible(name), 40)} <code className="quiet">{shortened(visible(id), 12)}</code>
    </Link>
  );
}

type OwnerLinkProps = { workflow: string | undefined; job: string | undefined };

function OwnerLink({ workflow, job }: OwnerLinkProps): ReactNode {
  const id = workflow || job;
  if (!id) return <span className="quiet">–</span>;
  const kind = workflow ? "workflow" : "job";
  return (
    <Link href={`/${kind}s/${encodeURIComponent(id)}`} title={visible(id)}>
      {kind} <code>{shortened(visible(id), 12)}</code>
    </Link>
  );
}

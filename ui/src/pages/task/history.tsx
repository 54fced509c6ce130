// What became of a task: its attempts, the executions of a broadcast, and each change of its state.

import { useQuery } from "@tanstack/react-query";
import { type ReactNode, useState } from "react";
import { Button } from "react-aria-components";
import { api, ask, type Shapes } from "../../api/client";
import { causeInWords, ERROR_WORDS } from "../../kinds";
import { LIVE } from "../../live/overview";
import { notYet, Problem } from "../../parts/messages";
import { PropletLink } from "../../parts/proplet-link";
import { State } from "../../parts/state";
import { Time, Took } from "../../parts/time";
import { hasEnded } from "../../states";
import { count, shortened, timeOf, visible } from "../../words";
import type { Task } from "./task-query";

/** Rows of a table; more on demand. */
const ROWS_SHOWN_MAX = 20;
const ERROR_CHARS_MAX = 200;

export function History({ task }: { task: Task }): ReactNode {
  return (
    <div className="stack">
      {task.broadcast && <Executions id={task.id} />}
      {/* The executions of a broadcast are its attempts, until one of them is tried again. */}
      {(!task.broadcast || (task.attempt ?? 1) > 1) && <Attempts id={task.id} />}
      <Events id={task.id} />
    </div>
  );
}

function Attempts({ id }: { id: string }): ReactNode {
  const query = useQuery({
    queryKey: [LIVE, "attempts", id],
    queryFn: ({ signal }) => ask(api.GET("/tasks/{id}/attempts", { params: { path: { id } }, signal })),
  });
  const attempts = query.data?.attempts ?? [];
  return (
    <section>
      <h2 className="part-title">
        Attempts <span className="quiet number">{query.data && count(query.data.total)}</span>
      </h2>
      {notYet(query, "the attempts")}
      {query.error ? <Problem error={query.error} /> : null}
      {query.data && attempts.length === 0 && <p className="quiet">It has not run yet.</p>}
      {attempts.length > 0 && <Runs runs={attempts.toReversed()} hasNumber />}
    </section>
  );
}

function Executions({ id }: { id: string }): ReactNode {
  const query = useQuery({
    queryKey: [LIVE, "executions", id],
    queryFn: ({ signal }) => ask(api.GET("/tasks/{id}/executions", { params: { path: { id } }, signal })),
  });
  return (
    <section>
      <h2 className="part-title">
        On each proplet <span className="quiet number">{query.data && count(query.data.total)}</span>
      </h2>
      {notYet(query, "the executions")}
      {query.error ? <Problem error={query.error} /> : null}
      {query.data && query.data.executions.length > 0 && <Runs runs={query.data.executions} />}
    </section>
  );
}

type RunsProps = { runs: readonly Shapes["ExecutionView"][]; hasNumber?: boolean };

function Runs({ runs, hasNumber = false }: RunsProps): ReactNode {
  const [shown, setShown] = useState(ROWS_SHOWN_MAX);
  return (
    <>
      <div className="scroll-x">
        <table className="dense">
          <thead>
            <tr>
              {hasNumber && <th scope="col">#</th>}
              <th scope="col">State</th>
              <th scope="col">Proplet</th>
              <th scope="col">Started</th>
              <th scope="col">Took</th>
            </tr>
          </thead>
          <tbody>
            {runs.slice(0, shown).map((run) => (
              <Run key={`${run.attempt} ${run.proplet_id}`} run={run} hasNumber={hasNumber} />
            ))}
          </tbody>
        </table>
      </div>
      {runs.length > shown && (
        <Button className="quiet-button" onPress={() => setShown(shown + 10 * ROWS_SHOWN_MAX)}>
          Show more of {count(runs.length)}
        </Button>
      )}
    </>
  );
}

function Run({ run, hasNumber }: { run: Shapes["ExecutionView"]; hasNumber: boolean }): ReactNode {
  const error = run.error && shortened(visible(run.error), ERROR_CHARS_MAX);
  return (
    <>
      <tr className={error ? undefined : "row-end"}>
        {hasNumber && <td className="number">{run.attempt}</td>}
        <td>
          <State state={run.state} />
        </td>
        <td>{run.proplet_id ? <PropletLink id={run.proplet_id} /> : <span className="quiet">–</span>}</td>
        <td>
          <Time at={timeOf(run.start_time)} />
        </td>
        <td>
          <Took from={timeOf(run.start_time)} to={hasEnded(run.state) ? timeOf(run.finish_time) : 0} />
        </td>
      </tr>
      {error && (
        <tr className="row-end">
          <td className="row-more" colSpan={hasNumber ? 5 : 4}>
            {run.error_kind && <strong>{ERROR_WORDS[run.error_kind] ?? run.error_kind}: </strong>}
            {error}
          </td>
        </tr>
      )}
    </>
  );
}

function Events({ id }: { id: string }): ReactNode {
  const query = useQuery({
    queryKey: [LIVE, "task-events", id],
    queryFn: ({ signal }) => allEvents(id, signal),
  });
  const [shown, setShown] = useState(ROWS_SHOWN_MAX);
  const events = query.data?.events.toReversed() ?? [];
  return (
    <section>
      <h2 className="part-title">Changes of state</h2>
      {notYet(query, "the changes")}
      {query.error ? <Problem error={query.error} /> : null}
      {query.data && !query.data.isComplete && <p className="quiet">Older changes are no longer kept.</p>}
      <ol className="changes">
        {events.slice(0, shown).map((event) => (
          <li key={event.id}>
            <Time at={timeOf(event.time)} />
            <State state={event.state} />
            <span className="quiet">
              {shortened(visible(event.reason ?? causeInWords(event.cause)), ERROR_CHARS_MAX)}
            </span>
          </li>
        ))}
      </ol>
      {events.length > shown && (
        <Button className="quiet-button" onPress={() => setShown(shown + 10 * ROWS_SHOWN_MAX)}>
          Show more of {count(events.length)}
        </Button>
      )}
    </section>
  );
}

/** A task that runs for ever by a schedule has more than people read; these are its first ones. */
const PAGES_MAX = 20;

async function allEvents(
  id: string,
  signal: AbortSignal,
): Promise<{ events: Shapes["KeptEvent"][]; isComplete: boolean }> {
  const events: Shapes["KeptEvent"][] = [];
  let after = 0;
  let isComplete = true;
  for (let page = 0; page < PAGES_MAX; page += 1) {
    const answer = await ask(
      api.GET("/tasks/{id}/events", { params: { path: { id }, query: { after, limit: 100 } }, signal }),
    );
    events.push(...answer.events);
    isComplete &&= answer.complete;
    after = answer.next;
    if (!answer.more) break;
  }
  return { events, isComplete };
}

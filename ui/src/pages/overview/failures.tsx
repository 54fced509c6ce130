import { keepPreviousData, type UseQueryResult, useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { Link } from "wouter";
import { api, ask, type Shapes } from "../../api/client";
import { ERROR_WORDS } from "../../kinds";
import { LIVE } from "../../live/overview";
import { Problem } from "../../parts/messages";
import { StateSign } from "../../parts/state";
import { Time, useNow } from "../../parts/time";
import { midnight } from "../../parts/times";
import { firstLine, timeOf, visible } from "../../words";

const SHOWN = 8;

export type FailuresQuery = UseQueryResult<Shapes["FailuresView"]>;

/** Ask what failed since the reader's midnight. */
export function useFailuresToday(): FailuresQuery {
  const since = midnight(useNow());
  return useQuery({
    queryKey: [LIVE, "failures", "newest", since],
    queryFn: ({ signal }) =>
      ask(
        api.GET("/failures", {
          params: { query: { since: new Date(since).toISOString(), limit: SHOWN } },
          signal,
        }),
      ),
    placeholderData: keepPreviousData,
  });
}

export function FailuresList({ query }: { query: FailuresQuery }): ReactNode {
  const failures = query.data?.failures ?? [];
  return (
    <section className="card overview-card">
      <h2>
        Newest failures
        <span className="overview-more">
          <Link href="/tasks?failed=today">Failed today</Link>
          <Link href="/tasks?state=failed">All that failed</Link>
        </span>
      </h2>
      {query.error && <Problem error={query.error} what="The failures could not be read." />}
      {query.data && failures.length === 0 && <p className="quiet">No task has failed today.</p>}
      {failures.length > 0 && (
        <ol className="overview-failures">
          {failures.map((failure) => (
            <Failure key={failure.task_id} failure={failure} />
          ))}
        </ol>
      )}
    </section>
  );
}

function Failure({ failure }: { failure: Shapes["FailedTask"] }): ReactNode {
  const { task_id, workflow_id, job_id, error, error_kind } = failure;
  const id = visible(task_id);
  const owner = workflow_id ?? job_id;
  return (
    <li>
      <StateSign state="failed" />
      <span className="overview-failure-head">
        <Link href={`/tasks/${encodeURIComponent(task_id)}`} title={id}>
          {id}
        </Link>
        {owner && (
          <Link
            className="quiet"
            href={`/${workflow_id ? "workflows" : "jobs"}/${encodeURIComponent(owner)}`}
            title={`${workflow_id ? "workflow" : "job"} ${visible(owner)}`}
          >
            {visible(owner)}
          </Link>
        )}
      </span>
      <span className="quiet overview-ago">
        <Time at={timeOf(failure.finish_time)} relative />
      </span>
      <span className="overview-error" title={visible(error)}>
        <span className="overview-kind">{ERROR_WORDS[error_kind]}</span> {visible(firstLine(error))}
      </span>
    </li>
  );
}

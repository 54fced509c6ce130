import { keepPreviousData, useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { Link } from "wouter";
import { LIVE, type Overview } from "../../live/overview";
import { Problem } from "../../parts/messages";
import { State, StateBar } from "../../parts/state";
import { Time, Took } from "../../parts/time";
import { visible } from "../../words";
import { listGroups } from "../groups/listing";
import { type Kind, NO_FILTERS, nameOf } from "../groups/rows";
import { merged, type Recent } from "./recent";

const SHOWN = 9;
const SIZE = { limit: SHOWN, earlier: 0 };
const KINDS = ["workflow", "job"] as const;

async function listRecent(overview: Overview, signal: AbortSignal): Promise<Recent[]> {
  const list = async (kind: Kind, state: string): Promise<Recent[]> => {
    const { rows } = await listGroups(kind, { ...NO_FILTERS, state }, signal, SIZE);
    return rows.map((row) => ({ ...row, kind }));
  };
  const there = KINDS.filter((kind) => overview[`${kind}s`].total > 0);
  const running = there.filter((kind) => overview[`${kind}s`].running > 0);
  const lists = await Promise.all([
    ...there.map((kind) => list(kind, "")),
    ...running.map((kind) => list(kind, "running")),
  ]);
  return merged(lists, SHOWN);
}

/** The workflows and jobs that run, and the newest. */
export function RecentList({ overview }: { overview: Overview }): ReactNode {
  const query = useQuery({
    queryKey: [LIVE, "recent"],
    queryFn: ({ signal }) => listRecent(overview, signal),
    placeholderData: keepPreviousData,
  });
  const rows = query.data ?? [];
  return (
    <section className="card overview-card">
      <h2>
        Running and newest
        <span className="overview-more">
          <Link href="/workflows">All workflows</Link>
          <Link href="/jobs">All jobs</Link>
        </span>
      </h2>
      {query.error && <Problem error={query.error} what="The newest could not be read." />}
      {query.data && rows.length === 0 && <p className="quiet">There are no workflows or jobs yet.</p>}
      {rows.length > 0 && (
        <table className="list overview-list">
          <caption className="only-read">Running and newest workflows and jobs</caption>
          <colgroup>
            <col className="overview-state" />
            <col />
            <col className="overview-bar" />
            <col className="overview-took" />
            <col className="overview-ago" />
          </colgroup>
          <thead className="only-read">
            <tr>
              <th scope="col">State</th>
              <th scope="col">Name</th>
              <th scope="col">Tasks</th>
              <th scope="col">Took</th>
              <th scope="col">Created</th>
            </tr>
          </thead>
          <tbody>
            {rows.map((row) => (
              <tr key={`${row.kind} ${row.id}`}>
                <td className="overview-state">
                  <State state={row.state} />
                </td>
                <th scope="row">
                  <Link href={`/${row.kind}s/${encodeURIComponent(row.id)}`} title={visible(nameOf(row))}>
                    {visible(nameOf(row))}
                  </Link>
                  {row.kind === "job" && <span className="quiet"> job</span>}
                </th>
                <td className="overview-bar">
                  <StateBar counts={row.counts} />
                </td>
                <td className="overview-took">
                  <Took from={row.started} to={row.finished} />
                </td>
                <td className="overview-ago quiet">
                  <Time at={row.created} relative />
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </section>
  );
}

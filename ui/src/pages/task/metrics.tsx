// What the runs of a task used: CPU and memory over time, and the totals of the last run.

import { useQuery } from "@tanstack/react-query";
import { type ReactNode, useMemo } from "react";
import { api, ask, type Shapes } from "../../api/client";
import { LIVE } from "../../live/overview";
import { Fact, Facts } from "../../parts/facts";
import { notYet, Problem } from "../../parts/messages";
import { Plot } from "../../parts/plot";
import { bytes, count, duration } from "../../words";
import { percent, rowsOfTask } from "./samples";

const SAMPLES_MAX = 500;

export default function Metrics({ id }: { id: string }): ReactNode {
  const query = useQuery({
    queryKey: [LIVE, "task-metrics", id],
    queryFn: ({ signal }) =>
      ask(
        api.GET("/tasks/{id}/metrics", { params: { path: { id }, query: { limit: SAMPLES_MAX } }, signal }),
      ),
  });
  const samples = query.data?.metrics;
  const rows = useMemo(() => rowsOfTask(samples ?? []), [samples]);
  const cpu = useMemo(
    () => [{ name: "CPU", values: rows.cpu, colour: "--state-running", isFilled: true }],
    [rows],
  );
  const memory = useMemo(
    () => [{ name: "Memory", values: rows.memory, colour: "--state-completed", isFilled: true }],
    [rows],
  );
  const newest = samples?.[0];
  return (
    <div className="stack">
      {notYet(query, "the samples")}
      {query.error ? <Problem error={query.error} /> : null}
      {query.data && !newest && (
        <p className="quiet">Nothing was measured: its runs were too short, or have not begun.</p>
      )}
      {newest && <Totals usage={newest.metrics} />}
      {rows.times.length > 1 && (
        <>
          <Plot label="CPU" times={rows.times} series={cpu} say={percent} />
          <Plot label="Memory" times={rows.times} series={memory} say={bytes} steps="bytes" />
        </>
      )}
    </div>
  );
}

/** What the newest sample has; which of them there are depends on the proplet. */
function Totals({ usage }: { usage: Shapes["TaskUsage"] }): ReactNode {
  const facts: [string, string | undefined][] = [
    ["CPU time", said(usage.cpu_seconds, duration)],
    ["Time", said(usage.wall_seconds ?? usage.uptime_seconds, duration)],
    ["Memory", said(usage.memory_bytes, bytes)],
    ["Most memory", said(usage.peak_memory_bytes, bytes)],
    ["Fuel", said(usage.fuel, count)],
    ["Read from disk", usage.disk_read_bytes ? bytes(usage.disk_read_bytes) : undefined],
    ["Written to disk", usage.disk_write_bytes ? bytes(usage.disk_write_bytes) : undefined],
    ["Requests", said(usage.requests, count)],
    ["Failed requests", said(usage.request_errors, count)],
  ];
  return (
    <section>
      <h2 className="part-title">Last sample</h2>
      <Facts>
        {facts.map(
          ([name, value]) =>
            value !== undefined && (
              <Fact key={name} name={name}>
                <span className="number">{value}</span>
              </Fact>
            ),
        )}
      </Facts>
    </section>
  );
}

function said(value: number | undefined, say: (value: number) => string): string | undefined {
  return value === undefined ? undefined : say(value);
}

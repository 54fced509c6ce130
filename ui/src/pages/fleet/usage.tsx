// What a proplet used over time, and when it was heard of.

import { useQuery } from "@tanstack/react-query";
import { type ReactNode, useMemo } from "react";
import { api, ask } from "../../api/client";
import { managerNow } from "../../live/manager-clock";
import { notYet, Problem } from "../../parts/messages";
import { Plot } from "../../parts/plot";
import { bytes, clock, count, duration } from "../../words";
import { percent, rowsOfProplet } from "../task/samples";
import { contactsOf } from "./contacts";

/** An hour of samples, at one in ten seconds. */
const SAMPLES_MAX = 360;
const LOOK_MS = 10_000;

export function Usage({ id }: { id: string }): ReactNode {
  const query = useQuery({
    queryKey: ["proplet-metrics", id],
    queryFn: ({ signal }) =>
      ask(
        api.GET("/proplets/{id}/metrics", {
          params: { path: { id }, query: { limit: SAMPLES_MAX } },
          signal,
        }),
      ),
    refetchInterval: LOOK_MS,
  });
  const samples = query.data?.metrics;
  const rows = useMemo(() => rowsOfProplet(samples ?? []), [samples]);
  const cpu = useMemo(
    () => [{ name: "CPU", values: rows.cpu, colour: "--state-running", isFilled: true }],
    [rows],
  );
  const memory = useMemo(
    () => [{ name: "Memory", values: rows.memory, colour: "--state-completed", isFilled: true }],
    [rows],
  );
  return (
    <section className="card proplet-part">
      <h2>What it uses</h2>
      {notYet(query, "the samples")}
      {query.error && !samples ? <Problem error={query.error} /> : null}
      {samples && samples.length === 0 && <p className="quiet">Nothing has been measured yet.</p>}
      {rows.times.length > 0 && (
        <div className="proplet-plots">
          <div>
            <h3>CPU</h3>
            <Plot label="CPU" times={rows.times} series={cpu} say={percent} height={140} top={10} />
          </div>
          <div>
            <h3>Memory</h3>
            <Plot label="Memory" times={rows.times} series={memory} say={bytes} steps="bytes" height={140} />
          </div>
        </div>
      )}
    </section>
  );
}

const CONTACTS_MAX = 1_000;

export function SignsOfLife({ id }: { id: string }): ReactNode {
  const query = useQuery({
    queryKey: ["alive-history", id],
    queryFn: ({ signal }) =>
      ask(
        api.GET("/proplets/{id}/alive-history", {
          params: { path: { id }, query: { limit: CONTACTS_MAX } },
          signal,
        }),
      ),
    refetchInterval: LOOK_MS,
  });
  const history = query.data?.history;
  const contacts = useMemo(() => contactsOf((history ?? []).map((at) => Date.parse(at))), [history]);
  const now = managerNow();
  return (
    <section className="card proplet-part">
      <h2>Signs of life</h2>
      {notYet(query, "the signs of life")}
      {query.error && !history ? <Problem error={query.error} /> : null}
      {history && !contacts && <p className="quiet">None is kept.</p>}
      {contacts && (
        <>
          <svg className="contacts" viewBox="0 0 1000 20" preserveAspectRatio="none" aria-hidden="true">
            <path d={contacts.places.map((at) => `M${(1 + at * 998).toFixed(1)} 0v20`).join("")} />
          </svg>
          <div className="contacts-ends quiet number">
            <span>{clock(contacts.first, now)}</span>
            <span>{clock(contacts.last, now)}</span>
          </div>
          <p className="quiet">
            The last {count(contacts.places.length)}; the longest pause was {duration(contacts.pauseMax)}.
          </p>
        </>
      )}
    </section>
  );
}

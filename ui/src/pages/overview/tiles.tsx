// The numbers of the overview. Each is a link to the list of what it counts.

import type { ReactNode } from "react";
import { Link } from "wouter";
import type { Overview } from "../../live/overview";
import { Meter } from "../../parts/meter";
import { StateSign } from "../../parts/state";
import type { StateWord } from "../../states";
import { count } from "../../words";
import { GROUP_STATES, type Kind } from "../groups/rows";

export function TaskTiles({
  overview,
  failed,
}: {
  overview: Overview;
  failed: number | undefined;
}): ReactNode {
  const { tasks } = overview;
  return (
    <section className="overview-tiles" aria-label="Tasks">
      <Tile state="running" value={tasks.running} to="/tasks?state=running" text="running" />
      <Tile
        state="scheduled"
        value={tasks.scheduled}
        to="/tasks?state=scheduled"
        text="waiting for a proplet"
      />
      <Tile
        state="pending"
        value={tasks.pending}
        to="/tasks?state=pending"
        text="not ready, or not started"
      />
      <Tile state="failed" value={failed} to="/tasks?failed=today" text="failed today" />
    </section>
  );
}

function Tile(props: { state: StateWord; value: number | undefined; to: string; text: string }): ReactNode {
  const { state, value, to, text } = props;
  return (
    <Link className="card overview-tile" href={to} data-none={!value || undefined}>
      <span className="overview-number number">{value === undefined ? "–" : count(value)}</span>
      <span className="overview-what">
        <StateSign state={state} /> {text}
      </span>
    </Link>
  );
}

/** How many workflows or jobs there are in each state. */
export function GroupTile({ kind, overview }: { kind: Kind; overview: Overview }): ReactNode {
  const counts = overview[`${kind}s`];
  return (
    <section className="card overview-card overview-groups">
      <h2>
        <Link href={`/${kind}s`}>
          {count(counts.total)} {counts.total === 1 ? kind : `${kind}s`}
        </Link>
      </h2>
      <ul>
        {GROUP_STATES.map((state) => (
          <li key={state}>
            <Link href={`/${kind}s?state=${state}`} data-none={!counts[state] || undefined}>
              <StateSign state={state} size={14} /> <strong className="number">{count(counts[state])}</strong>{" "}
              {state}
            </Link>
          </li>
        ))}
      </ul>
    </section>
  );
}

/** The fleet in one row. */
export function FleetRow({ overview }: { overview: Overview }): ReactNode {
  const { total, alive, cordoned, slots, busy } = overview.proplets;
  const isIdle = alive === 0 && overview.tasks.scheduled > 0;
  return (
    <section className="card overview-card overview-fleet" aria-label="Proplets">
      <h2>
        <Link href="/proplets">
          {count(total)} {total === 1 ? "proplet" : "proplets"}
        </Link>
      </h2>
      <Meter value={busy} of={slots} label={`${count(busy)} of ${count(slots)} slots are busy`} />
      <span className="number">
        {count(busy)} of {count(slots)} <span className="quiet">slots busy</span>
      </span>
      <span className="number">
        {count(alive)} <span className="quiet">alive</span>
      </span>
      {total > alive && <span className="number overview-bad">{count(total - alive)} silent</span>}
      {cordoned > 0 && (
        <span className="number">
          {count(cordoned)} <span className="quiet">cordoned</span>
        </span>
      )}
      {isIdle && (
        <span className="overview-bad">
          No proplet is alive, so nothing runs. Start one with propeller proplet.
        </span>
      )}
    </section>
  );
}

// What runs, waits and failed, how fast it goes, and what is new.

import type { ReactNode } from "react";
import { Link } from "wouter";
import { useOverview, type Overview as Whole } from "../../live/overview";
import { Loading } from "../../parts/messages";
import { useTitle } from "../../parts/title";
import { FailuresList, useFailuresToday } from "./failures";
import { Pace } from "./plots";
import { RecentList } from "./recent-list";
import { FleetRow, GroupTile, TaskTiles } from "./tiles";
import "./overview.css";

export default function Overview(): ReactNode {
  useTitle("Overview");
  const overview = useOverview();
  return (
    <div className="page overview">
      <div className="page-head">
        <h1>Overview</h1>
      </div>
      {overview === null ? <Loading what="Loading the overview" /> : <Parts overview={overview} />}
    </div>
  );
}

function Parts({ overview }: { overview: Whole }): ReactNode {
  const failures = useFailuresToday();
  const isNew = overview.tasks.total + overview.workflows.total + overview.jobs.total === 0;
  if (isNew) {
    return (
      <>
        <FirstSteps />
        <FleetRow overview={overview} />
      </>
    );
  }
  return (
    <>
      <TaskTiles overview={overview} failed={failures.data?.total} />
      <FleetRow overview={overview} />
      <div className="overview-pair">
        <GroupTile kind="workflow" overview={overview} />
        <GroupTile kind="job" overview={overview} />
      </div>
      <Pace />
      <div className="overview-pair">
        <FailuresList query={failures} />
        <RecentList overview={overview} />
      </div>
    </>
  );
}

function FirstSteps(): ReactNode {
  return (
    <section className="card overview-first">
      <h2>Nothing has run here yet</h2>
      <p>Run a first task, either here or on the command line:</p>
      <div className="overview-ways">
        <Link className="button" data-look="primary" href="/new">
          New task, workflow or job
        </Link>
        <code>propeller run examples/addition.wat 10 20</code>
      </div>
      <p className="quiet">It appears on this page by itself.</p>
    </section>
  );
}

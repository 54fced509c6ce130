// The list of all tasks, and the search over them.

import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { Link } from "wouter";
import { useList } from "../../live/list";
import { managerNow } from "../../live/manager-clock";
import { LIVE, useOverview } from "../../live/overview";
import { type Address, useAddress } from "../../parts/address";
import { ChosenFilter, FilterBar, SearchField, StateFilter, TimeFilter } from "../../parts/filters";
import { ListTable } from "../../parts/list";
import { Empty, notYet, Problem } from "../../parts/messages";
import { Paging } from "../../parts/paging";
import { midnight } from "../../parts/times";
import { useTitle } from "../../parts/title";
import { STATES } from "../../states";
import { count } from "../../words";
import { useTaskActs } from "./acting";
import { COLUMNS, COLUMNS_OF_FAILURES } from "./columns";
import { listFailures, listTasks, type TaskList } from "./listing";
import { ROWS, type TaskFilters, type TaskRow } from "./rows";
import "./tasks.css";

const idOf = (row: TaskRow): string => row.id;

export default function Tasks(): ReactNode {
  const address = useAddress();
  return address.get("failed") === "today" ? (
    <FailedToday address={address} />
  ) : (
    <AllTasks address={address} />
  );
}

function filtersOf(address: Address): TaskFilters {
  return {
    state: address.get("state"),
    search: address.get("search"),
    since: address.get("since"),
    workflow: address.get("workflow_id"),
    job: address.get("job_id"),
    proplet: address.get("proplet_id"),
    cursor: address.get("cursor"),
  };
}

const CHOSEN = [
  ["workflow_id", "workflow"],
  ["job_id", "job"],
  ["proplet_id", "proplet"],
] as const;

function AllTasks({ address }: { address: Address }): ReactNode {
  useTitle("Tasks");
  const filters = filtersOf(address);
  const overview = useOverview();
  const isFiltered = Object.entries(filters).some(([name, value]) => value !== "" && name !== "cursor");
  const query = useList("tasks", filters, isFiltered, (signal) => listTasks(filters, signal));
  return (
    <div className="page">
      <div className="page-head">
        <h1>Tasks</h1>
        <Link className="button head-button" href="/new?kind=task">
          New task
        </Link>
      </div>
      <FilterBar>
        <SearchField name="search" label="Search tasks" placeholder="Id, or part of a name" />
        <StateFilter states={STATES} counts={overview?.tasks ?? {}} />
        {CHOSEN.filter(([name]) => address.get(name)).map(([name, what]) => (
          <ChosenFilter
            key={name}
            text={`${what} ${address.get(name)}`}
            onRemove={() => address.change({ [name]: undefined })}
          />
        ))}
        <TimeFilter hasEnd={false} />
      </FilterBar>
      {query.error && <Problem error={query.error} what="The list of tasks could not be read." />}
      {notYet(query, "tasks")}
      {query.data && (
        <Listed
          list={query.data.list}
          filters={filters}
          isFiltered={isFiltered || filters.cursor !== ""}
          isStale={query.isPlaceholderData}
        />
      )}
    </div>
  );
}

function Listed(props: {
  list: TaskList;
  filters: TaskFilters;
  isFiltered: boolean;
  isStale: boolean;
}): ReactNode {
  const { rows, total, next } = props.list;
  const { acts, error } = useTaskActs();
  if (rows.length === 0 && next === undefined) return <Nothing isFiltered={props.isFiltered} />;
  return (
    <>
      {rows.length < ROWS && next !== undefined && (
        <p className="quiet">Not all tasks have been looked at yet. Older goes on with the search.</p>
      )}
      {error !== null && <Problem error={error} />}
      {rows.length > 0 && (
        <ListTable
          caption="Tasks"
          columns={COLUMNS}
          rows={rows}
          idOf={idOf}
          nameOf={idOf}
          acts={acts}
          question={JSON.stringify(props.filters)}
          isStale={props.isStale}
        />
      )}
      <div className="list-foot">
        <Paging shown={rows.length} total={total} next={next} what={["task", "tasks"]} />
      </div>
    </>
  );
}

function Nothing({ isFiltered }: { isFiltered: boolean }): ReactNode {
  if (isFiltered) {
    return (
      <Empty title="No task is like that">
        <p>A search finds tasks whose id begins with it, or whose name has it in it.</p>
        <Link href="/tasks">Show all tasks</Link>
      </Empty>
    );
  }
  return (
    <Empty title="There are no tasks yet">
      <p>
        <Link href="/new?kind=task">Make one here</Link>, or on the command line:{" "}
        <code>propeller run examples/addition.wat 10 20</code>
      </p>
    </Empty>
  );
}

function FailedToday({ address }: { address: Address }): ReactNode {
  useTitle("Tasks that failed today");
  const since = midnight(managerNow());
  const query = useQuery({
    queryKey: [LIVE, "failures", since],
    queryFn: ({ signal }) => listFailures(since, signal),
  });
  const { rows, total = 0 } = query.data ?? { rows: [] };
  const { acts, error } = useTaskActs();
  return (
    <div className="page">
      <div className="page-head">
        <h1>Tasks that failed today</h1>
      </div>
      <FilterBar>
        <ChosenFilter
          text="failed today"
          onRemove={() => address.change({ failed: undefined, state: "failed" })}
        />
        <span className="quiet">Those that were started again since then are left out.</span>
      </FilterBar>
      {query.error && <Problem error={query.error} what="The list of failures could not be read." />}
      {notYet(query, "failures")}
      {error !== null && <Problem error={error} />}
      {rows.length > 0 && (
        <ListTable
          caption="Tasks that failed today"
          columns={COLUMNS_OF_FAILURES}
          rows={rows}
          idOf={idOf}
          nameOf={idOf}
          acts={acts}
          question="failed today"
        />
      )}
      {query.data && rows.length === 0 && (
        <Empty title="No task has failed today">
          <Link href="/tasks?state=failed">Show all that failed</Link>
        </Empty>
      )}
      {rows.length < total && (
        <p className="quiet">
          The newest {count(rows.length)} of {count(total)}.{" "}
          <Link href="/tasks?state=failed">Show all that failed</Link>
        </p>
      )}
    </div>
  );
}

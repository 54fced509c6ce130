import type { ReactNode } from "react";
import { Link } from "wouter";
import type { Column } from "../../parts/list";
import { PropletLink } from "../../parts/proplet-link";
import { State } from "../../parts/state";
import { Time, Took } from "../../parts/time";
import { firstLine, visible } from "../../words";
import type { TaskRow } from "./rows";

const STATE: Column<TaskRow> = {
  title: "State",
  width: "134px",
  cell: (row) => <State state={row.state} />,
};
const TASK: Column<TaskRow> = { title: "Task", isHead: true, cell: (row) => <Name row={row} /> };
const GROUP: Column<TaskRow> = {
  title: "Workflow or job",
  width: "12%",
  cell: (row) => <GroupLink row={row} />,
};
const PROPLET: Column<TaskRow> = {
  title: "Proplet",
  width: "10%",
  isMinor: true,
  cell: (row) => row.propletId && <PropletLink id={row.propletId} />,
};
const ATTEMPTS: Column<TaskRow> = {
  title: "Attempt",
  width: "80px",
  isNumber: true,
  isMinor: true,
  cell: (row) =>
    row.attempt > 1 || row.started || row.finished ? row.attempt : <span className="quiet">–</span>,
};
const WHY: Column<TaskRow> = {
  title: "Error or reason",
  width: "20%",
  isText: true,
  cell: (row) =>
    row.why && (
      <span className={row.isBad ? "task-error" : "quiet"} title={visible(row.why)}>
        {visible(firstLine(row.why))}
      </span>
    ),
};

export const COLUMNS: readonly Column<TaskRow>[] = [
  STATE,
  TASK,
  GROUP,
  PROPLET,
  ATTEMPTS,
  { title: "Started", width: "104px", cell: (row) => <Time at={row.started} relative /> },
  {
    title: "Took",
    width: "92px",
    isNumber: true,
    cell: (row) => <Took from={row.started} to={row.finished} />,
  },
  WHY,
];

export const COLUMNS_OF_FAILURES: readonly Column<TaskRow>[] = [
  STATE,
  TASK,
  GROUP,
  PROPLET,
  ATTEMPTS,
  { title: "Failed", width: "104px", cell: (row) => <Time at={row.finished} relative /> },
  { ...WHY, title: "Error", width: "29%" },
];

function Name({ row }: { row: TaskRow }): ReactNode {
  const [id, name] = [visible(row.id), visible(row.name)];
  return (
    <span className="row-name">
      <Link href={`/tasks/${encodeURIComponent(row.id)}`} title={id}>
        {id}
      </Link>
      {name !== id && (
        <span className="quiet" title={name}>
          {name}
        </span>
      )}
    </span>
  );
}

function GroupLink({ row: { groupKind, groupId } }: { row: TaskRow }): ReactNode {
  if (!groupKind) return <span className="quiet">–</span>;
  return (
    <Link href={`/${groupKind}s/${encodeURIComponent(groupId)}`} title={`${groupKind} ${visible(groupId)}`}>
      {visible(groupId)}
    </Link>
  );
}

import type { ReactNode } from "react";
import { Link } from "wouter";
import { Labels } from "../../parts/labels";
import type { Column } from "../../parts/list";
import { Sparkline } from "../../parts/sparkline";
import { State, StateBar } from "../../parts/state";
import { Time, Took } from "../../parts/time";
import { count, visible } from "../../words";
import { type GroupRow, type Kind, progressOf } from "./rows";

/** Give the columns of the list; `toLabel` is where all with a label are. */
export function columnsOf(kind: Kind, toLabel: (label: string) => string): readonly Column<GroupRow>[] {
  return [
    { title: "State", width: "134px", cell: (row) => <State state={row.state} /> },
    {
      title: kind === "workflow" ? "Workflow" : "Job",
      isHead: true,
      cell: (row) => <Name kind={kind} row={row} />,
    },
    { title: "Tasks", width: "190px", cell: (row) => <Progress row={row} /> },
    {
      title: "Took",
      width: "104px",
      isNumber: true,
      cell: (row) => <Took from={row.started} to={row.finished} />,
    },
    { title: "Created", width: "110px", cell: (row) => <Time at={row.created} relative /> },
    { title: "Earlier runs", width: "166px", isMinor: true, cell: (row) => <Sparkline runs={row.earlier} /> },
    {
      title: "Labels",
      width: "18%",
      isMinor: true,
      cell: (row) => <Labels labels={row.labels} to={toLabel} />,
    },
  ];
}

function Name({ kind, row }: { kind: Kind; row: GroupRow }): ReactNode {
  const [name, id] = [visible(row.name), visible(row.id)];
  return (
    <span className="row-name">
      <Link href={`/${kind}s/${encodeURIComponent(row.id)}`} title={name ? `${name}\n${id}` : id}>
        {name || id}
      </Link>
      <span className="quiet" title={id}>
        {row.isPattern ? <Pattern nextRun={row.nextRun} /> : name && name !== id ? id : ""}
      </span>
    </span>
  );
}

function Pattern({ nextRun }: { nextRun: number }): ReactNode {
  return nextRun ? (
    <>
      runs next <Time at={nextRun} relative />
    </>
  ) : (
    "has a schedule"
  );
}

function Progress({ row }: { row: GroupRow }): ReactNode {
  const { ended, total } = progressOf(row.counts);
  return (
    <span className="progress">
      <StateBar counts={row.counts} />
      <span className="quiet number">
        {ended === total ? count(total) : `${count(ended)} of ${count(total)}`}
      </span>
    </span>
  );
}

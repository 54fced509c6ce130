// Makes a task, a workflow or a job.

import type { ReactNode } from "react";
import { Link } from "wouter";
import { useAddress } from "../../parts/address";
import { useTitle } from "../../parts/title";
import { GroupForm } from "./group-form";
import type { Kind } from "./making";
import { TaskForm } from "./task-form";
import "./new.css";

const KINDS: readonly { kind: Kind; name: string }[] = [
  { kind: "task", name: "Task" },
  { kind: "workflow", name: "Workflow" },
  { kind: "job", name: "Job" },
];

export default function New(): ReactNode {
  useTitle("New");
  const address = useAddress();
  const given = address.get("kind");
  const kind = KINDS.find((one) => one.kind === given)?.kind ?? "task";
  return (
    <div className="page new-page">
      <div className="page-head">
        <h1>New {kind}</h1>
        <nav className="new-kinds" aria-label="What to make">
          {KINDS.map((one) => (
            <Link
              key={one.kind}
              href={address.with({ kind: one.kind })}
              aria-current={one.kind === kind ? "page" : undefined}
            >
              {one.name}
            </Link>
          ))}
        </nav>
      </div>
      {/* All stay, so that what was written in one is there when the reader comes back from another. */}
      <div className="new-body" hidden={kind !== "task"}>
        <TaskForm />
      </div>
      {(["workflow", "job"] as const).map((one) => (
        <div key={one} className="new-body new-body-group" hidden={kind !== one}>
          <GroupForm kind={one} />
        </div>
      ))}
    </div>
  );
}

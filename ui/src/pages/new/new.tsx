// Makes a task, a workflow or a job.

import type { ReactNode } from "react";
import { Link } from "wouter";
import { useAddress } from "../../parts/address";
import type { Kind } from "./making";
import { TaskForm } from "./task-form";
import "./new.css";

const KINDS: readonly { kind: Kind; name: string }[] = [{ kind: "task", name: "Task" }];

export default function New(): ReactNode {
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
      <div className="new-body" hidden={kind !== "task"}>
        <TaskForm />
      </div>
    </div>
  );
}

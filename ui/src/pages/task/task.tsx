import type { ReactNode } from "react";
import { TaskPanel } from "./panel";

export default function TaskPage({ id }: { id: string }): ReactNode {
  return (
    <div className="page">
      <TaskPanel id={id} />
    </div>
  );
}

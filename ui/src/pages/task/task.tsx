import type { ReactNode } from "react";
import { useTitle } from "../../parts/title";
import { TaskPanel } from "./panel";

export default function TaskPage({ id }: { id: string }): ReactNode {
  useTitle(id);
  return (
    <div className="page">
      <TaskPanel id={id} />
    </div>
  );
}

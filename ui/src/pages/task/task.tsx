import type { ReactNode } from "react";
import { Empty } from "../../parts/messages";

export default function Task(_: { id: string }): ReactNode {
  return <Empty title="Task" />;
}

import type { ReactNode } from "react";
import { Empty } from "../../parts/messages";

export default function Groups(_: { kind: "workflow" | "job" }): ReactNode {
  return <Empty title="Groups" />;
}

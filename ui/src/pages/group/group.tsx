import type { ReactNode } from "react";
import { Empty } from "../../parts/messages";

export default function Group(_: { kind: "workflow" | "job"; id: string }): ReactNode {
  return <Empty title="Group" />;
}

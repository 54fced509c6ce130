import type { ReactNode } from "react";
import { Empty } from "../../parts/messages";

export default function Tasks(): ReactNode {
  return <Empty title="Tasks" />;
}

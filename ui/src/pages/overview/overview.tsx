import type { ReactNode } from "react";
import { Empty } from "../../parts/messages";

export default function Overview(): ReactNode {
  return <Empty title="Overview" />;
}

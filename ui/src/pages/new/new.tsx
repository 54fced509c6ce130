import type { ReactNode } from "react";
import { Empty } from "../../parts/messages";

export default function New(): ReactNode {
  return <Empty title="New" />;
}

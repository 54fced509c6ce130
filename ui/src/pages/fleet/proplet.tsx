import type { ReactNode } from "react";
import { Empty } from "../../parts/messages";

export default function Proplet(_: { id: string }): ReactNode {
  return <Empty title="Proplet" />;
}

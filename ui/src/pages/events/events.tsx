import type { ReactNode } from "react";
import { Empty } from "../../parts/messages";

export default function Events(): ReactNode {
  return <Empty title="Events" />;
}

import type { ReactNode } from "react";
import { Empty } from "../../parts/messages";

export default function Fleet(): ReactNode {
  return <Empty title="Fleet" />;
}

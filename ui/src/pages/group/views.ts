// What the graph, the timeline and the table are given.

import { useEffect, useRef, useState } from "react";
import type { Address } from "./address";
import type { LiveGroup } from "./live";
import type { GroupModel } from "./model";

export type ViewProps = {
  live: LiveGroup;
  model: GroupModel;
  /** Grows with each change of the model. */
  version: number;
  address: Address;
  change: (part: Partial<Address>) => void;
  /** Place of the task that is selected. */
  selected: number | null;
  select: (place: number | null) => void;
};

/** Give a value that changes often, at most each `ms`; the newest comes always. */
export function useCalm<Value>(value: Value, ms: number): Value {
  const [calm, setCalm] = useState(value);
  const last = useRef(0);
  useEffect(() => {
    const timer = setTimeout(
      () => {
        last.current = performance.now();
        setCalm(value);
      },
      Math.max(0, last.current + ms - performance.now()),
    );
    return () => clearTimeout(timer);
  }, [value, ms]);
  return calm;
}

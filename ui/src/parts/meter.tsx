import type { ReactNode } from "react";
import "./meter.css";

/** A bar that is filled as far as a number of a whole goes; `label` says both in words. */
export function Meter({ value, of, label }: { value: number; of: number; label: string }): ReactNode {
  const part = of > 0 ? Math.min(1, value / of) : 0;
  return (
    <span className="meter" role="img" aria-label={label} title={label}>
      <span style={{ width: `${part * 100}%` }} />
    </span>
  );
}

import type { ReactNode } from "react";
import { Link } from "wouter";
import { visible } from "../words";
import "./labels.css";

/** Labels; each is a link to all that have the same one, if `to` says where these are. */
export function Labels({
  labels,
  to,
}: {
  labels: Readonly<Record<string, string>> | undefined;
  to: (label: string) => string;
}): ReactNode {
  return (
    <span className="labels">
      {Object.entries(labels ?? {}).map(([key, value]) => {
        const text = visible(value ? `${key}=${value}` : key);
        return (
          <Link key={key} className="label" href={to(`${key}=${value}`)} title={`Only those with ${text}`}>
            {text}
          </Link>
        );
      })}
    </span>
  );
}

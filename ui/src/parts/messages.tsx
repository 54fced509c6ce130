import type { ReactNode } from "react";
import { Refused } from "../api/client";
import { visible } from "../words";
import "./messages.css";

/** What went wrong, in the words of whoever found it. */
export function Problem({ error, what }: { error: unknown; what?: string }): ReactNode {
  const text = error instanceof Error ? error.message : String(error);
  return (
    <div className="problem" role="alert">
      {what && <strong>{what} </strong>}
      {visible(text)}
    </div>
  );
}

/** Nothing is here, and what to do about it. */
export function Empty({ title, children }: { title: string; children?: ReactNode }): ReactNode {
  return (
    <div className="empty">
      <h2>{title}</h2>
      {children}
    </div>
  );
}

/** Something is awaited. */
export function Loading({ what }: { what: string }): ReactNode {
  return (
    <div className="loading" role="status">
      {what} …
    </div>
  );
}

/** What a query has to say before there is something to show; null when there is. */
export function notYet(query: { isPending: boolean; error: unknown }, what: string): ReactNode {
  if (query.isPending && !query.error) return <Loading what={`Loading ${what}`} />;
  return null;
}

export function isGone(error: unknown): boolean {
  return error instanceof Refused && error.status === 404;
}

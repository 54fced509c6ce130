// The way through a list that goes on behind a cursor. The place is in the address.

import type { ReactNode } from "react";
import { Link, useLocation } from "wouter";
import { count } from "../words";
import { useAddress } from "./address";
import { useKeys } from "./keys";
import "./paging.css";

type PagingProps = {
  /** How many rows are shown. */
  shown: number;
  /** How many there are in all, where that is known. */
  total?: number | undefined;
  /** Where the page behind this one begins; undefined for none. */
  next: string | undefined;
  /** What is listed: one, and many. */
  what: readonly [string, string];
};

export function Paging({ shown, total, next, what }: PagingProps): ReactNode {
  const address = useAddress();
  const [, go] = useLocation();
  const isFirst = address.get("cursor") === "";
  useKeys("Pages of the list", [
    { keys: "n", text: "Older", act: () => next !== undefined && go(address.with({ cursor: next })) },
    { keys: "b", text: "Newest", act: () => isFirst || go(address.with({})) },
  ]);
  return (
    <nav className="paging" aria-label="Pages of the list">
      <span className="quiet number">{standing(shown, total, what)}</span>
      {(!isFirst || next !== undefined) && (
        <>
          <Step to={isFirst ? undefined : address.with({})}>Newest</Step>
          <Step to={next === undefined ? undefined : address.with({ cursor: next })}>Older</Step>
        </>
      )}
    </nav>
  );
}

/** Say how much is shown: `50 of 1,234 tasks`, or `50 tasks` where the whole is not known. */
function standing(shown: number, total: number | undefined, [one, many]: readonly [string, string]): string {
  const all = total ?? shown;
  return `${shown === all ? "" : `${count(shown)} of `}${count(all)} ${all === 1 ? one : many}`;
}

function Step({ to, children }: { to: string | undefined; children: string }): ReactNode {
  if (to === undefined) {
    return (
      <button type="button" className="button" data-disabled disabled>
        {children}
      </button>
    );
  }
  return (
    <Link className="button" href={to}>
      {children}
    </Link>
  );
}

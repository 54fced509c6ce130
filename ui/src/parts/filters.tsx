// What a list is filtered by. All of it stands in the address of the page.

import { type ReactNode, useEffect, useId, useRef, useState } from "react";
import { Button } from "react-aria-components";
import { Link } from "wouter";
import type { StateWord } from "../states";
import { count, visible } from "../words";
import { useAddress } from "./address";
import { StateSign } from "./state";
import { forInput, fromInput, SPANS } from "./times";
import "./filters.css";

export function FilterBar({ children }: { children: ReactNode }): ReactNode {
  return (
    <search className="filters" aria-label="Filters">
      {children}
    </search>
  );
}

/** How long a reader may pause while typing. */
const PAUSE_MS = 250;

/** A text in the address. What is typed goes there after a pause, and Back does not go through its letters. */
export function SearchField({
  name,
  label,
  placeholder,
}: {
  name: string;
  label: string;
  placeholder?: string;
}): ReactNode {
  const address = useAddress();
  const stored = address.get(name);
  const [text, setText] = useState(stored);
  const sent = useRef(stored);
  const change = useRef(address.change);
  change.current = address.change;
  // The address may change by other ways than this field.
  useEffect(() => {
    if (stored === sent.current) return;
    sent.current = stored;
    setText(stored);
  }, [stored]);
  useEffect(() => {
    const next = text.trim();
    if (next === sent.current) return;
    const timer = setTimeout(() => {
      sent.current = next;
      change.current({ [name]: next }, { replace: true });
    }, PAUSE_MS);
    return () => clearTimeout(timer);
  }, [text, name]);
  return (
    <input
      className="field filter-search"
      type="search"
      aria-label={label}
      placeholder={placeholder ?? label}
      value={text}
      onChange={(event) => setText(event.target.value)}
      onKeyDown={(event) => event.key === "Escape" && event.currentTarget.blur()}
      spellCheck={false}
      autoComplete="off"
    />
  );
}

/** One of some states, or all; each is a link, with its number where that is known. */
export function StateFilter({
  states,
  counts = {},
  name = "state",
}: {
  states: readonly StateWord[];
  counts?: Partial<Record<StateWord | "total", number>>;
  name?: string;
}): ReactNode {
  const address = useAddress();
  const present = address.get(name);
  const all = counts.total;
  return (
    <nav className="filter-states" aria-label="State">
      <Link href={address.with({ [name]: undefined })} aria-current={present === "" ? "true" : undefined}>
        All {all !== undefined && <Count value={all} />}
      </Link>
      {states.map((state) => (
        <Link
          key={state}
          href={address.with({ [name]: state })}
          aria-current={present === state ? "true" : undefined}
        >
          <StateSign state={state} size={14} /> {state}{" "}
          {counts[state] !== undefined && <Count value={counts[state]} />}
        </Link>
      ))}
    </nav>
  );
}

function Count({ value }: { value: number }): ReactNode {
  return <span className="filter-count number">{count(value)}</span>;
}

/** A filter that some link has set, which can only be taken out again. */
export function ChosenFilter({ text, onRemove }: { text: string; onRemove: () => void }): ReactNode {
  const shown = visible(text);
  return (
    <Button className="filter-chosen" aria-label={`Take out the filter ${shown}`} onPress={onRemove}>
      {shown} <span aria-hidden="true">×</span>
    </Button>
  );
}

const EXACT = "exact";

/** When something was created: a span that ends now, or from a time, until another where the list knows that. */
export function TimeFilter({ hasEnd = true }: { hasEnd?: boolean }): ReactNode {
  const address = useAddress();
  const [since, until] = [address.get("since"), address.get("until")];
  const [isOpen, setOpen] = useState(false);
  const isSpan = SPANS.some((span) => span.word === since) && !until;
  const isExact = isOpen || (!isSpan && (since !== "" || until !== ""));
  const choose = (word: string): void => {
    setOpen(word === EXACT);
    if (word !== EXACT) address.change({ since: word, until: undefined });
    else if (isSpan) address.change({ since: undefined, until: undefined }, { replace: true });
  };
  return (
    <div className="filter-time">
      <select
        className="field"
        aria-label="Created"
        value={isExact ? EXACT : since}
        onChange={(event) => choose(event.target.value)}
      >
        <option value="">Any time</option>
        {SPANS.map((span) => (
          <option key={span.word} value={span.word}>
            {span.text}
          </option>
        ))}
        <option value={EXACT}>{hasEnd ? "From … until …" : "From …"}</option>
      </select>
      {isExact && (
        <>
          <TimeField
            label="From"
            value={isSpan ? "" : since}
            onChange={(next) => address.change({ since: next })}
          />
          {hasEnd && (
            <TimeField label="until" value={until} onChange={(next) => address.change({ until: next })} />
          )}
        </>
      )}
    </div>
  );
}

function TimeField({
  label,
  value,
  onChange,
}: {
  label: string;
  value: string;
  onChange: (next: string) => void;
}): ReactNode {
  const id = useId();
  return (
    <>
      <label htmlFor={id} className="quiet">
        {label}
      </label>
      <input
        id={id}
        className="field"
        type="datetime-local"
        value={forInput(value)}
        onChange={(event) => onChange(fromInput(event.target.value))}
      />
    </>
  );
}

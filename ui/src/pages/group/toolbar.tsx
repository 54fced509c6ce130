// Above the graph, the timeline and the table: which of them, what is searched for, which states.

import { type ReactNode, useMemo, useRef } from "react";
import { ToggleButton } from "react-aria-components";
import { Link, useLocation, useSearchParams } from "wouter";
import { type CountsByState, StateSign } from "../../parts/state";
import { STATES, type StateWord } from "../../states";
import { count } from "../../words";
import { type Address, VIEWS, type ViewName, writeAddress } from "./address";
import { countMarked, findText, nextMarked } from "./finding";
import type { GroupModel } from "./model";

const NAMES: Record<ViewName, string> = { graph: "Graph", timeline: "Timeline", table: "Table" };

export function GroupToolbar(props: {
  address: Address;
  change: (part: Partial<Address>) => void;
  counts: CountsByState;
  model: GroupModel;
  selected: number | null;
  select: (place: number | null) => void;
}): ReactNode {
  const { address, change, counts, model, selected, select } = props;
  const [path] = useLocation();
  const [query] = useSearchParams();
  const field = useRef<HTMLInputElement>(null);
  const hits = useMemo(() => findText(model.structure, address.text), [model.structure, address.text]);
  const next = (): void => {
    const found = hits === null ? null : nextMarked(hits, selected ?? -1);
    if (found !== null) select(found);
  };
  const toggle = (state: StateWord, isOn: boolean): void => {
    change({ states: STATES.filter((one) => (one === state ? isOn : address.states.includes(one))) });
  };
  return (
    <div className="group-tools">
      <nav aria-label="View" className="tabs">
        {VIEWS.map((view) => (
          <Link
            key={view}
            className="tab"
            href={`${path}?${writeAddress({ ...address, view }, query)}`}
            aria-current={view === address.view ? "page" : undefined}
          >
            {NAMES[view]}
          </Link>
        ))}
      </nav>
      <fieldset className="state-toggles" aria-label="Only tasks in these states">
        {STATES.filter((state) => counts[state] > 0 || address.states.includes(state)).map((state) => (
          <ToggleButton
            key={state}
            className="state-toggle"
            isSelected={address.states.includes(state)}
            onChange={(isOn) => toggle(state, isOn)}
          >
            <StateSign state={state} size={14} />
            <span className="number">{count(counts[state])}</span> {state}
          </ToggleButton>
        ))}
      </fieldset>
      <search className="group-search">
        <input
          ref={field}
          type="search"
          className="field"
          aria-label="Find tasks by id or function"
          placeholder="Find tasks"
          value={address.text}
          spellCheck={false}
          autoComplete="off"
          onChange={(event) => change({ text: event.target.value })}
          onKeyDown={(event) => {
            if (event.key === "Enter") next();
            if (event.key !== "Escape") return;
            // Browsers would empty the field, and `n` goes on with what was found.
            event.preventDefault();
            field.current?.blur();
          }}
        />
        <span className="quiet number" role="status">
          {hits !== null && `${count(countMarked(hits))} found`}
        </span>
      </search>
    </div>
  );
}

// What happens, as it happens.

import { type ReactNode, useCallback, useMemo, useState } from "react";
import { Button } from "react-aria-components";
import { Link } from "wouter";
import { useAddress } from "../../parts/address";
import { ChosenFilter, FilterBar, SearchField, StateFilter } from "../../parts/filters";
import { useKeys } from "../../parts/keys";
import { Empty } from "../../parts/messages";
import { useTitle } from "../../parts/title";
import { STATES, type StateWord } from "../../states";
import { count } from "../../words";
import { ROWS_KEPT } from "./flow";
import { type Only, type Picture, useEvents } from "./live";
import { EventTable } from "./table";
import "./events.css";

const ONLY = ["workflow_id", "job_id", "task_id"] as const;

export default function Events(): ReactNode {
  useTitle("Events");
  const address = useAddress();
  const only: Only = {};
  for (const name of ONLY) if (address.get(name)) only[name] = address.get(name);
  const at = STATES.indexOf(address.get("state") as StateWord);
  const picture = useEvents(only, { state: at < 0 ? null : at, text: address.get("search") });
  const [isPaused, setPaused] = useState(false);
  const [isAway, setAway] = useState(false);
  const shown = useStill(picture, isPaused || isAway);
  const pause = useCallback(() => setPaused((now) => !now), []);
  useKeys(
    "Events",
    useMemo(() => [{ keys: "Space", text: "Pause, or go on", act: pause }], [pause]),
  );
  return (
    <div className="page events-page">
      <div className="page-head">
        <h1>Events</h1>
        <Standing picture={picture} shown={shown} isPaused={isPaused} isAway={isAway} />
        <Button className="button events-pause" onPress={pause} aria-pressed={isPaused}>
          {isPaused ? "Go on" : "Pause"}
        </Button>
      </div>
      <FilterBar>
        <SearchField name="search" label="Search events" placeholder="Part of a name or id" />
        <StateFilter states={STATES} />
        {ONLY.filter((name) => only[name]).map((name) => (
          <ChosenFilter
            key={name}
            text={`${NAMES[name]} ${only[name]}`}
            onRemove={() => address.change({ [name]: undefined })}
          />
        ))}
      </FilterBar>
      {picture.isGone && (
        <p className="events-gone" role="status">
          The manager has no such{" "}
          {ONLY.filter((name) => only[name])
            .map((name) => NAMES[name])
            .join(" or ")}{" "}
          any more. What you see happened before it was deleted.
        </p>
      )}
      {shown.rows.length > 0 ? (
        <EventTable rows={shown.rows} onAway={setAway} />
      ) : (
        <Nothing isFiltered={picture.taken > 0} />
      )}
    </div>
  );
}

function Nothing({ isFiltered }: { isFiltered: boolean }): ReactNode {
  if (isFiltered)
    return (
      <Empty title="None of the latest events is like that">Newer ones appear here by themselves.</Empty>
    );
  return (
    <Empty title="Nothing has happened yet">
      <Link href="/new">Run something</Link>, and what happens to it appears here by itself.
    </Empty>
  );
}

const NAMES = { workflow_id: "workflow", job_id: "job", task_id: "task" } as const;

/** Give what is shown: all that comes, or while it is held still, what was there then. */
function useStill(picture: Picture, isStill: boolean): Picture {
  const [still, setStill] = useState<Picture | null>(null);
  if (isStill && still === null) setStill(picture);
  if (!isStill && still !== null) setStill(null);
  return isStill ? (still ?? picture) : picture;
}

function Standing(props: {
  picture: Picture;
  shown: Picture;
  isPaused: boolean;
  isAway: boolean;
}): ReactNode {
  const { picture, shown, isPaused, isAway } = props;
  const newer = picture.taken - shown.taken;
  return (
    <span className="quiet number events-standing">
      {isPaused && `Paused; ${count(newer)} newer. `}
      {!isPaused && isAway && `${count(newer)} newer at the top. `}
      {!isPaused && !isAway && `${count(picture.rows.length)} shown. `}
      {picture.rows.length === ROWS_KEPT && "Older ones are left out. "}
      {picture.passedOver > 0 &&
        `${count(picture.passedOver)} came faster than a page can show, and were passed over.`}
    </span>
  );
}

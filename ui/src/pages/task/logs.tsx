// The logs of a task: they follow what is written until the reader scrolls up.

import { useVirtualizer } from "@tanstack/react-virtual";
import {
  type ReactNode,
  useCallback,
  useDeferredValue,
  useEffect,
  useLayoutEffect,
  useMemo,
  useRef,
  useState,
} from "react";
import { Button } from "react-aria-components";
import { Problem } from "../../parts/messages";
import { hasEnded as isOver } from "../../states";
import { bytes, count } from "../../words";
import { matches } from "./lines";
import { LogRow } from "./log-row";
import { type Chosen, downloadLogs, type LogStream, useLogs } from "./log-stream";
import type { Task } from "./task-query";
import "./logs.css";

const ROW_PX = 18;
/** So near to the end counts as at the end. */
const END_PX = 2 * ROW_PX;

export default function Logs({ task }: { task: Task }): ReactNode {
  const [chosen, setChosen] = useState<Chosen>({ stream: "", attempt: "" });
  const [run, setRun] = useState(0);
  const isOfMany = task.broadcast ?? false;
  const place = useRef<HTMLElement>(null);
  const following = useRef(true);
  const keepPlace = useCallback((gone: number) => {
    // Who follows goes to the end anyway; a move up would count as the reader's own.
    if (place.current && !following.current) place.current.scrollTop -= gone * ROW_PX;
  }, []);
  const logs = useLogs(task.id, chosen, isOfMany, run, keepPlace);
  useEffect(() => {
    // It was started again after its end.
    if (logs.hasEnded && !isOver(task.state)) setRun((before) => before + 1);
  }, [logs.hasEnded, task.state]);
  return (
    <div className="logs">
      <LinesView logs={logs} place={place} following={following} isOfMany={isOfMany}>
        <Choices task={task} chosen={chosen} onChoose={setChosen} />
        <DownloadAll id={task.id} chosen={chosen} />
      </LinesView>
    </div>
  );
}

type ChoicesProps = { task: Task; chosen: Chosen; onChoose: (chosen: Chosen) => void };

function Choices({ task, chosen, onChoose }: ChoicesProps): ReactNode {
  const attempts = Array.from(
    { length: Math.min(task.attempt ?? 0, 100) },
    (_, at) => (task.attempt ?? 0) - at,
  );
  return (
    <>
      <select
        className="field"
        aria-label="Stream"
        value={chosen.stream}
        onChange={(event) => onChoose({ ...chosen, stream: event.target.value as Chosen["stream"] })}
      >
        <option value="">stdout and stderr</option>
        <option value="stdout">stdout</option>
        <option value="stderr">stderr</option>
      </select>
      <select
        className="field"
        aria-label="Attempt"
        value={chosen.attempt}
        onChange={({ target }) =>
          onChoose({
            ...chosen,
            attempt: target.value === "" || target.value === "all" ? target.value : Number(target.value),
          })
        }
      >
        <option value="">last attempt</option>
        <option value="all">all attempts</option>
        {attempts.map((attempt) => (
          <option key={attempt} value={attempt}>
            attempt {attempt}
          </option>
        ))}
      </select>
    </>
  );
}

function DownloadAll({ id, chosen }: { id: string; chosen: Chosen }): ReactNode {
  const [words, setWords] = useState("");
  const [error, setError] = useState<unknown>(null);
  const act = async (): Promise<void> => {
    setError(null);
    setWords("Getting the logs …");
    try {
      await downloadLogs(id, chosen, setWords);
    } catch (problem) {
      setError(problem);
    } finally {
      setWords("");
    }
  };
  return (
    <>
      <Button className="quiet-button" isDisabled={words !== ""} onPress={() => void act()}>
        {words || "Download all"}
      </Button>
      {error !== null && <Problem error={error} />}
    </>
  );
}

/** What was written before the lines that are shown. */
function Passed({ logs: { lines } }: { logs: LogStream }): ReactNode {
  const parts = [
    ...(lines.bytesBefore ? [bytes(lines.bytesBefore)] : []),
    ...(lines.passedOver ? [`${count(lines.passedOver)} lines`] : []),
  ];
  if (parts.length === 0) return null;
  return (
    <div className="quiet logs-passed">
      Earlier output is not shown: {parts.join(" and ")}. “Download all” has it.
    </div>
  );
}

type LinesViewProps = {
  logs: LogStream;
  place: { current: HTMLElement | null };
  /** Whether the lines that are shown go along with those that come. */
  following: { current: boolean };
  isOfMany: boolean;
  /** More tools for the bar above the lines. */
  children: ReactNode;
};

function LinesView({ logs, place, following, isOfMany, children }: LinesViewProps): ReactNode {
  const { lines, version } = logs;
  const [isFollowing, setFollowing] = useState(true);
  following.current = isFollowing;
  const [wanted, setWanted] = useState("");
  const sought = useDeferredValue(wanted);
  // biome-ignore lint/correctness/useExhaustiveDependencies: the lines are changed in place
  const found = useMemo(() => matches(lines.all, sought), [lines, version, sought]);
  const [at, setAt] = useState(0);
  const list = useVirtualizer({
    count: lines.all.length,
    getScrollElement: () => place.current,
    estimateSize: () => ROW_PX,
    overscan: 20,
  });
  const total = list.getTotalSize();
  // biome-ignore lint/correctness/useExhaustiveDependencies: it goes to the end after each change of the lines
  useLayoutEffect(() => {
    if (isFollowing && place.current) place.current.scrollTop = total;
  }, [isFollowing, total, version]);

  const goTo = useCallback(
    (next: number) => {
      if (found.length === 0) return;
      const place = (next + found.length) % found.length;
      setAt(place);
      setFollowing(false);
      list.scrollToIndex(found[place] ?? 0, { align: "center" });
    },
    [found, list],
  );
  // biome-ignore lint/correctness/useExhaustiveDependencies: only another text that is sought goes to its first place
  useEffect(() => {
    if (sought) goTo(0);
  }, [sought]);

  return (
    <>
      <div className="logs-bar">
        <input
          type="search"
          className="field logs-search"
          placeholder="Find in the logs"
          aria-label="Find in the logs"
          value={wanted}
          onChange={(event) => setWanted(event.target.value)}
          onKeyDown={(event) => {
            if (event.key === "Enter") goTo(at + (event.shiftKey ? -1 : 1));
          }}
        />
        <span className="quiet number" role="status">
          {sought && `${found.length ? Math.min(at, found.length - 1) + 1 : 0} of ${count(found.length)}`}
        </span>
        {sought && (
          <>
            <Button className="quiet-button" isDisabled={found.length === 0} onPress={() => goTo(at - 1)}>
              Before
            </Button>
            <Button className="quiet-button" isDisabled={found.length === 0} onPress={() => goTo(at + 1)}>
              Next
            </Button>
          </>
        )}
        {children}
        <span className="logs-end quiet">
          {logs.hasEnded ? "ended" : isFollowing ? "following" : "not following"}
        </span>
        {!isFollowing && (
          <Button className="quiet-button" onPress={() => setFollowing(true)}>
            {logs.hasEnded ? "To the end" : "Follow"}
          </Button>
        )}
      </div>
      <Passed logs={logs} />
      <section
        className="logs-lines"
        ref={place}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls is reached by keys
        tabIndex={0}
        aria-label="Logs"
        onScroll={({ currentTarget: box }) =>
          setFollowing(box.scrollHeight - box.scrollTop - box.clientHeight < END_PX)
        }
      >
        {lines.all.length === 0 && (
          <div className="quiet">{logs.hasEnded ? "It wrote nothing." : "It has written nothing yet."}</div>
        )}
        <div style={{ height: total, position: "relative" }}>
          {list.getVirtualItems().map((row) => {
            const line = lines.all[row.index];
            return (
              line && (
                <LogRow
                  key={row.key}
                  line={line}
                  top={row.start}
                  sought={sought}
                  isCurrent={sought !== "" && found[at] === row.index}
                  hasProplet={isOfMany}
                />
              )
            );
          })}
        </div>
      </section>
    </>
  );
}

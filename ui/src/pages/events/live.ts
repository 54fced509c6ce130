// Follows the events of the manager while the page is shown.

import { useEffect, useRef, useState } from "react";
import { useOverview } from "../../live/overview";
import { follow } from "../../live/stream";
import { type EventFilter, type EventRow, Flow } from "./flow";

/** What the stream is narrowed to by the manager. */
export type Only = { workflow_id?: string; job_id?: string; task_id?: string };

export type Picture = {
  rows: readonly EventRow[];
  taken: number;
  passedOver: number;
  /** What is followed has been deleted. */
  isGone: boolean;
};

/** How far back the page begins, in events of all tasks; further where it shows only some. */
const PAST = 200;
const PAST_OF_FEW = 20_000;
const NOTHING: Picture = { rows: [], taken: 0, passedOver: 0, isGone: false };

/** Give the events so far, the newest first, drawn at most once a frame. */
export function useEvents(only: Only, filter: EventFilter): Picture {
  const [picture, setPicture] = useState<Picture>(NOTHING);
  const newest = useOverview()?.event_id;
  const isReady = newest !== undefined;
  const flow = useRef(new Flow());
  const begin = useRef(0);
  begin.current = newest ?? 0;
  const question = new URLSearchParams(only).toString();

  useEffect(() => {
    if (!isReady) return;
    const present = new Flow();
    flow.current = present;
    let isGone = false;
    let frame = 0;
    const draw = (): void => {
      frame = 0;
      present.turn();
      setPicture({ rows: present.rows, taken: present.taken, passedOver: present.passedOver, isGone });
    };
    setPicture(NOTHING);
    const stop = follow({
      path: question ? `/events?${question}` : "/events",
      after: Math.max(0, begin.current - (question ? PAST_OF_FEW : PAST)),
      onEvent: (event) => {
        if (event.kind === "task" && event.id !== null) present.take(event.id, event.data);
        else if (event.kind === "gone" && question) isGone = true;
        else return;
        frame ||= requestAnimationFrame(draw);
      },
    });
    return () => {
      stop();
      cancelAnimationFrame(frame);
    };
  }, [isReady, question]);

  const { state, text } = filter;
  // biome-ignore lint/correctness/useExhaustiveDependencies: a new stream has a new flow, which knows no filter yet
  useEffect(() => {
    flow.current.show({ state, text });
    setPicture((now) => ({ ...now, rows: flow.current.rows }));
  }, [state, text, isReady, question]);
  return picture;
}

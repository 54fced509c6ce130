// The logs of a task as they come: the last lines that are there, and then each new one.

import { useEffect, useReducer, useRef, useState } from "react";
import { api, ask, type Shapes } from "../../api/client";
import { follow } from "../../live/stream";
import { download } from "../../parts/download";
import { bytes } from "../../words";
import { BOUNDS, Lines, type Piece } from "./lines";

export type Chosen = { stream: "" | "stdout" | "stderr"; attempt: "" | "all" | number };

/** Lines are drawn that often at most. */
const DRAW_MS_MIN = 100;
const PIECES_IN_PAGE = 1_000;

function queryOf({ stream, attempt }: Chosen): string {
  const query = new URLSearchParams();
  if (stream) query.set("stream", stream);
  if (attempt) query.set("attempt", String(attempt));
  return query.toString();
}

export type LogStream = {
  lines: Lines;
  /** Another number after each change of the lines. */
  version: number;
  /** True if nothing more comes. */
  hasEnded: boolean;
};

/**
 * Follow the logs of a task.
 *
 * @param run another value when the task runs again, so that its logs are followed again
 * @param onTrim is told how many lines at the front are gone, before those that are left are drawn
 */
export function useLogs(
  id: string,
  chosen: Chosen,
  isOfMany: boolean,
  run: number,
  onTrim: (lines: number) => void,
): LogStream {
  const [version, draw] = useReducer((before: number) => before + 1, 0);
  const [lines, setLines] = useState(() => new Lines(isOfMany));
  const [hasEnded, setEnded] = useState(false);
  const query = queryOf(chosen);
  const told = useRef(onTrim);
  told.current = onTrim;
  // biome-ignore lint/correctness/useExhaustiveDependencies: a new run is followed from its begin
  useEffect(() => {
    const kept = new Lines(isOfMany);
    let waiting: Piece[] = [];
    let timer: ReturnType<typeof setTimeout> | undefined;
    const take = (): void => {
      timer = undefined;
      const gone = kept.add(waiting);
      waiting = [];
      if (gone) told.current(gone);
      draw();
    };
    setLines(kept);
    setEnded(false);
    const stop = follow({
      path: `/tasks/${encodeURIComponent(id)}/logs?follow=true&tail=${BOUNDS.linesMax}&${query}`,
      onEvent: (event) => {
        if (event.kind === "log") {
          waiting.push(JSON.parse(event.data) as Piece);
          timer ??= setTimeout(take, DRAW_MS_MIN);
        } else if (event.kind === "end") {
          stop();
          setEnded(true);
        }
      },
      onRefused: () => setEnded(true),
    });
    return () => {
      stop();
      clearTimeout(timer);
    };
  }, [id, query, isOfMany, run]);
  return { lines, version, hasEnded };
}

/** Get all of the logs and hand them to the reader as a file. */
export async function downloadLogs(id: string, chosen: Chosen, say: (words: string) => void): Promise<void> {
  const parts: string[] = [];
  let size = 0;
  for (let after = 0; ; ) {
    const page = (await ask(
      api.GET("/tasks/{id}/logs", {
        params: {
          path: { id },
          query: {
            after,
            limit: PIECES_IN_PAGE,
            ...(chosen.stream ? { stream: chosen.stream } : {}),
            ...(chosen.attempt ? { attempt: chosen.attempt } : {}),
          },
        },
      }),
    )) as Shapes["LogPage"];
    for (const piece of page.logs) {
      parts.push(piece.text);
      size += piece.text.length;
      after = piece.id;
    }
    say(`Getting ${bytes(size)} …`);
    if (page.logs.length < PIECES_IN_PAGE) break;
  }
  download(`${id}.log`, parts);
}

// A stream of server-sent events that comes back by itself, and goes on behind the last event that it had.
//
// A browser opens at most six connections to one place by HTTP/1.1, for all of its tabs. So a stream ends while
// nobody looks at its tab, and goes on when somebody does.

import { createParser } from "eventsource-parser";
import { apiRoot } from "../api/client";
import { connection } from "./connection";
import { hearTime } from "./manager-clock";

export type StreamEvent = { kind: string; id: number | null; data: string };

export type StreamOptions = {
  /** Below the root of the API, with its query. */
  path: string;
  /** Events up to this one are known already. */
  after?: number | undefined;
  onEvent: (event: StreamEvent) => void;
  /** The manager has refused: 404 when what is followed is gone. The stream is then over for good. */
  onRefused?: (status: number) => void;
};

/** The manager sends something each 15 s at least; silence for longer means that the connection is cut. */
const SILENCE_MS_MAX = 40_000;
const WAITS_MS = [200, 500, 1_000, 2_000, 5_000];
/** How long a tab may be out of sight before its streams end. */
const HIDDEN_MS_MAX = 10_000;
/** Refusals that another try does not change. */
const FINAL = new Set([400, 403, 404, 405]);
const SIGNED_OUT = 401;

/** Follow a stream until the function that is returned is called. */
export function follow(options: StreamOptions): () => void {
  const stream = new Stream(options);
  stream.start();
  return () => stream.close();
}

class Stream {
  private lastId: number | undefined;
  private tries = 0;
  private aborting: AbortController | undefined;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private isClosed = false;
  private readonly mark = connection.enter();

  constructor(private readonly options: StreamOptions) {
    this.lastId = options.after;
  }

  start(): void {
    document.addEventListener("visibilitychange", this.onVisibility);
    // One that is opened in the background waits until somebody looks at it.
    if (!document.hidden) void this.connect();
  }

  close(): void {
    this.isClosed = true;
    document.removeEventListener("visibilitychange", this.onVisibility);
    clearTimeout(this.timer);
    this.aborting?.abort();
    this.mark.leave();
  }

  private readonly onVisibility = (): void => {
    clearTimeout(this.timer);
    if (document.hidden) {
      this.timer = setTimeout(() => this.aborting?.abort(), HIDDEN_MS_MAX);
    } else if (this.aborting === undefined || this.aborting.signal.aborted) {
      this.tries = 0;
      void this.connect();
    }
  };

  private async connect(): Promise<void> {
    const aborting = new AbortController();
    this.aborting = aborting;
    let status = 0;
    try {
      status = await this.read(aborting);
    } catch {
      // Whatever it was, what follows is the same: the stream is tried again below.
    }
    if (this.isClosed || this.aborting !== aborting) return;
    if (document.hidden) {
      aborting.abort();
      return;
    }
    this.mark.lost(status === SIGNED_OUT);
    const wait = WAITS_MS[Math.min(this.tries, WAITS_MS.length - 1)] as number;
    this.tries += 1;
    // Tabs do not all come back at once.
    this.timer = setTimeout(() => void this.connect(), wait * (0.75 + Math.random() / 2));
  }

  /** Read to the end of the stream; gives the status of the answer. */
  private async read(aborting: AbortController): Promise<number> {
    const headers: Record<string, string> = { accept: "text/event-stream" };
    if (this.lastId !== undefined) headers["last-event-id"] = String(this.lastId);
    const response = await fetch(`${apiRoot}${this.options.path}`, {
      headers,
      signal: aborting.signal,
      cache: "no-store",
    });
    hearTime(response.headers.get("date"));
    if (!response.ok || response.body === null) {
      if (FINAL.has(response.status) && !this.isClosed) {
        this.close();
        this.options.onRefused?.(response.status);
      }
      return response.status;
    }
    const parser = createParser({ onEvent: (event) => this.take(event) });
    const text = new TextDecoder();
    const reader = response.body.getReader();
    let silence: ReturnType<typeof setTimeout> | undefined;
    try {
      while (true) {
        clearTimeout(silence);
        silence = setTimeout(() => aborting.abort(), SILENCE_MS_MAX);
        const { done, value } = await reader.read();
        if (done) return response.status;
        this.tries = 0;
        this.mark.found();
        parser.feed(text.decode(value, { stream: true }));
      }
    } finally {
      clearTimeout(silence);
    }
  }

  private take(event: { id?: string | undefined; event?: string | undefined; data: string }): void {
    if (this.isClosed) return;
    const id = event.id === undefined || event.id === "" ? null : Number(event.id);
    if (id !== null) this.lastId = id;
    this.options.onEvent({ kind: event.event ?? "message", id, data: event.data });
  }
}

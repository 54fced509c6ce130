// A workflow or job as the manager has it: its graph, read once, and what events have changed since.

import { useEffect, useMemo, useSyncExternalStore } from "react";
import { api, ask, Refused } from "../../api/client";
import { follow } from "../../live/stream";
import { type Graph, GroupModel, type Row } from "./model";

export type Kind = "workflow" | "job";

/** What became of the group: `gone` is final. */
export type LiveState = "loading" | "ready" | "gone" | "failed";

/** Places of the tasks that changed, or null if all may have. */
export type Changed = readonly number[] | null;

/** The graph is read again at most that often, and no more than a tenth of the time is spent on it. */
const AGAIN_MS_MIN = 1_000;
const AGAIN_TIMES_MIN = 10;
const RETRY_MS = 2_000;

export class LiveGroup {
  model: GroupModel | null = null;
  state: LiveState = "loading";
  error: unknown = null;
  /** Grows with each change of anything here. */
  version = 0;
  private readonly listeners = new Set<() => void>();
  private readonly followers = new Set<(changed: Changed) => void>();
  private stopStream: (() => void) | undefined;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private aborting = new AbortController();
  private loadedAt = 0;
  private loadMs = 0;
  private isOpen = false;

  constructor(
    readonly kind: Kind,
    readonly id: string,
  ) {}

  /** Begin to read; the function that is returned ends it. */
  open(): () => void {
    this.isOpen = true;
    this.aborting = new AbortController();
    void this.load();
    return () => {
      this.isOpen = false;
      this.aborting.abort();
      clearTimeout(this.timer);
      this.timer = undefined;
      this.stopStream?.();
    };
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  readonly snapshot = (): number => this.version;

  /** Be told which tasks changed, at once and outside of React. */
  onChange(follower: (changed: Changed) => void): () => void {
    this.followers.add(follower);
    return () => this.followers.delete(follower);
  }

  private async load(): Promise<void> {
    const { signal } = this.aborting;
    const began = performance.now();
    try {
      const graph = await readGraph(this.kind, this.id, signal);
      if (!this.isOpen || signal.aborted) return;
      this.model = new GroupModel(graph, this.model?.structure);
      this.state = "ready";
      this.error = null;
      this.loadedAt = performance.now();
      this.loadMs = this.loadedAt - began;
      this.tell(null);
      this.followEvents(graph.event_id);
    } catch (error) {
      if (!this.isOpen || signal.aborted) return;
      if (error instanceof Refused && error.status === 404) {
        this.end();
        return;
      }
      this.error = error;
      if (this.model === null) this.state = "failed";
      this.tell([]);
      if (!(error instanceof Refused && error.status < 500)) this.again(RETRY_MS);
    }
  }

  private followEvents(after: number): void {
    this.stopStream?.();
    this.stopStream = follow({
      path: `/events?brief=true&${this.kind}_id=${encodeURIComponent(this.id)}`,
      after,
      onEvent: ({ kind, data }) => {
        if (kind === "changes") this.take(JSON.parse(data) as Row[]);
        else if (kind === "gone") this.takeGone(JSON.parse(data) as { task_id?: string });
      },
      onRefused: (status) => {
        if (status === 404) this.end();
      },
    });
  }

  private take(rows: readonly Row[]): void {
    if (this.model === null) return;
    const { changed, isIncomplete } = this.model.apply(rows);
    if (isIncomplete) this.again();
    if (changed.length > 0) this.tell(changed);
  }

  private takeGone(gone: { task_id?: string }): void {
    if (gone.task_id === undefined) this.end();
    else this.again();
  }

  private end(): void {
    this.state = "gone";
    this.stopStream?.();
    clearTimeout(this.timer);
    this.tell([]);
  }

  private again(wait?: number): void {
    const pause = Math.max(AGAIN_MS_MIN, this.loadMs * AGAIN_TIMES_MIN);
    const delay = wait ?? Math.max(0, this.loadedAt + pause - performance.now());
    this.timer ??= setTimeout(() => {
      this.timer = undefined;
      void this.load();
    }, delay);
  }

  private tell(changed: Changed): void {
    this.version += 1;
    for (const follower of this.followers) follower(changed);
    for (const listener of this.listeners) listener();
  }
}

async function readGraph(kind: Kind, id: string, signal: AbortSignal): Promise<Graph> {
  const options = { params: { path: { id } }, signal };
  return kind === "workflow"
    ? ask(api.GET("/workflows/{id}/graph", options))
    : ask(api.GET("/jobs/{id}/graph", options));
}

/** Follow a workflow or job while the caller is on the page. */
export function useLiveGroup(kind: Kind, id: string): LiveGroup {
  const live = useMemo(() => new LiveGroup(kind, id), [kind, id]);
  useEffect(() => live.open(), [live]);
  return live;
}

/** Draw the caller anew whenever something of the group changed. */
export function useVersion(live: LiveGroup): number {
  return useSyncExternalStore(live.subscribe, live.snapshot);
}

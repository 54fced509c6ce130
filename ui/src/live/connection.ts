// Whether the page hears from the manager: every stream says so for itself, and the worst of them counts.

import { useSyncExternalStore } from "react";
import { managerNow } from "./manager-clock";

export type Connection = {
  isLost: boolean;
  /** Since when nothing was heard, ms. */
  since: number;
  /** Somebody in between asks people to sign in, and this browser has not. */
  isSignedOut: boolean;
};

/** A stream may be between two connections for that long before people are told. */
const LOST_MS_MIN = 1_000;

const CONNECTED: Connection = { isLost: false, since: 0, isSignedOut: false };

class Connections {
  private readonly lost = new Map<object, number>();
  private isSignedOut = false;
  private shown: Connection = CONNECTED;
  private readonly listeners = new Set<() => void>();
  private timer: ReturnType<typeof setTimeout> | undefined;

  /** Take in a stream; it says what becomes of it. */
  enter(): { lost: (isSignedOut: boolean) => void; found: () => void; leave: () => void } {
    const stream = {};
    return {
      lost: (isSignedOut) => {
        this.isSignedOut = isSignedOut;
        this.set(stream, true);
      },
      found: () => this.set(stream, false),
      leave: () => this.set(stream, false),
    };
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  readonly snapshot = (): Connection => this.shown;

  private set(stream: object, isLost: boolean): void {
    if (isLost === this.lost.has(stream)) {
      if (this.shown.isLost) this.show(this.now());
      return;
    }
    if (isLost) this.lost.set(stream, managerNow());
    else this.lost.delete(stream);
    clearTimeout(this.timer);
    if (this.lost.size === 0) this.show(CONNECTED);
    else this.timer = setTimeout(() => this.show(this.now()), LOST_MS_MIN);
  }

  private now(): Connection {
    return { isLost: true, since: Math.min(...this.lost.values()), isSignedOut: this.isSignedOut };
  }

  private show(next: Connection): void {
    const { isLost, since, isSignedOut } = this.shown;
    if (next.isLost === isLost && next.since === since && next.isSignedOut === isSignedOut) return;
    this.shown = next;
    for (const listener of this.listeners) listener();
  }
}

export const connection = new Connections();

export function useConnection(): Connection {
  return useSyncExternalStore(connection.subscribe, connection.snapshot);
}

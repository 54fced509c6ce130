// Events as rows: gathered until the next picture, filtered, and no more of them kept than people look through.

import type { Shapes } from "../../api/client";
import { causeInWords } from "../../kinds";
import { timeOf } from "../../words";

export type EventRow = {
  id: number;
  at: number;
  state: number;
  taskId: string;
  name: string;
  groupKind: "workflow" | "job" | "";
  groupId: string;
  /** 0 for none. */
  attempt: number;
  propletId: string;
  /** Why: the error, the reason, that it is up, or what caused it. */
  why: string;
  isBad: boolean;
};

export type EventFilter = {
  /** A number, or null for all. */
  state: number | null;
  /** Part of a name or id, without case. */
  text: string;
};

/** How many rows are kept, of all and of those that the filter lets through. */
export const ROWS_KEPT = 2_000;
/** How many events wait for the next picture; and how many characters these may have. */
const WAITING_MAX = 2_000;
const WAITING_CHARS_MAX = 16_000_000;

export function rowOf(id: number, data: string): EventRow {
  const event = JSON.parse(data) as Shapes["EventView"];
  const groupId = event.workflow_id ?? event.job_id ?? "";
  return {
    id,
    at: timeOf(event.time),
    state: event.state,
    taskId: event.task_id,
    name: event.name,
    groupKind: event.workflow_id ? "workflow" : event.job_id ? "job" : "",
    groupId,
    attempt: event.attempt ?? 0,
    propletId: event.proplet_id ?? "",
    why: event.error ?? event.reason ?? (event.up ? "it is up" : caused(event.cause)),
    isBad: event.error !== undefined,
  };
}

function caused(cause: Shapes["CauseView"]): string {
  const words = causeInWords(cause);
  return cause.task_id ? `${words}: ${cause.task_id}` : words;
}

export function passes(row: EventRow, filter: EventFilter): boolean {
  if (filter.state !== null && row.state !== filter.state) return false;
  if (filter.text === "") return true;
  const text = filter.text.toLowerCase();
  return [row.taskId, row.name, row.groupId, row.propletId].some((one) => one.toLowerCase().includes(text));
}

type Waiting = { id: number; data: string };

/** Takes events in as they come, and gives the rows of a picture, the newest first. */
export class Flow {
  private waiting: Waiting[] = [];
  private chars = 0;
  private all: readonly EventRow[] = [];
  private filter: EventFilter = { state: null, text: "" };
  /** Those that pass the filter. */
  rows: readonly EventRow[] = [];
  /** How many came since the begin; how many of these were never shown, as they came too fast. */
  taken = 0;
  passedOver = 0;

  /** Keep an event for the next picture. The oldest go first when too many wait. */
  take(id: number, data: string): void {
    this.taken += 1;
    this.waiting.push({ id, data });
    this.chars += data.length;
    if (this.waiting.length <= WAITING_MAX && this.chars <= WAITING_CHARS_MAX) return;
    // Half of them at once, so that this costs little for each.
    const gone = this.waiting.splice(0, Math.ceil(this.waiting.length / 2));
    for (const one of gone) this.chars -= one.data.length;
    this.passedOver += gone.length;
  }

  /** Make rows of all that wait. */
  turn(): void {
    const fresh = this.waiting.map((one) => rowOf(one.id, one.data)).reverse();
    this.waiting = [];
    this.chars = 0;
    this.all = [...fresh, ...this.all].slice(0, ROWS_KEPT);
    const passed = fresh.filter((row) => passes(row, this.filter));
    if (passed.length > 0) this.rows = [...passed, ...this.rows].slice(0, ROWS_KEPT);
  }

  /** Filter what is kept, and what comes. */
  show(filter: EventFilter): void {
    this.filter = filter;
    this.rows = this.all.filter((row) => passes(row, filter));
  }
}

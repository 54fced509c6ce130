// All tasks of a workflow or job by columns, and what the manager's events change in them. Pure: no network, no React.

import type { Shapes } from "../../api/client";
import { COMPLETED, hasEnded, PENDING, RUNNING, SCHEDULED, STATES } from "../../states";
import { at, isSameStructure, type Structure, structureOf } from "./structure";

/** The answer of `/workflows/{id}/graph` and `/jobs/{id}/graph`. Times are ms since 1970, 0 for none. */
export type Graph = Shapes["GraphView"];

/** A row of the brief events: task, state, attempt, proplet or "", ms, 1 if up. */
export type Row = [string, number, number, string, number, number];

/** A run that is over, or one proplet's share of a broadcast task. `state` is -1 where the manager has not said it. */
export type Run = {
  attempt: number;
  state: number;
  proplet: number;
  started: number;
  finished: number;
};

/** What a batch of rows did. */
export type Change = {
  /** Places of the tasks that changed, each once. */
  changed: number[];
  /** True if the graph must be read again: a task came or an attempt passed of which the rows do not say all. */
  isIncomplete: boolean;
};

export const NOT_SAID = -1;

export class GroupModel {
  readonly structure: Structure;
  readonly eventId: number;
  readonly mode: string | undefined;
  readonly states: Uint8Array;
  readonly attempts: Int32Array;
  /** Places in `propletIds`, -1 for none. */
  readonly proplets: Int32Array;
  readonly propletIds: string[];
  readonly created: Float64Array;
  /** Since when a task waits for a proplet, where an event told it; 0 otherwise. */
  readonly queued: Float64Array;
  readonly placed: Float64Array;
  readonly started: Float64Array;
  readonly finished: Float64Array;
  readonly up: Uint8Array;
  readonly subWorkflows: string[];
  /** By place of the task, the oldest first. */
  readonly past: ReadonlyMap<number, Run[]>;
  readonly executions: ReadonlyMap<number, Run[]>;
  /** How many tasks are in each state. */
  readonly counts: Int32Array;
  private readonly pastRuns: Map<number, Run[]>;
  private readonly propletPlaces: Map<string, number>;

  /** Read a graph. Keep the structure of `before` if it is the same, so that nothing is laid out again. */
  constructor(graph: Graph, before?: Structure) {
    const { tasks } = graph;
    const structure = structureOf(tasks.ids, tasks.names, tasks.conditions, graph.edges, graph.mode);
    this.structure = before && isSameStructure(before, structure) ? before : structure;
    this.eventId = graph.event_id;
    this.mode = graph.mode;
    this.states = Uint8Array.from(tasks.states);
    this.attempts = Int32Array.from(tasks.attempts);
    this.proplets = Int32Array.from(tasks.proplets);
    this.propletIds = [...graph.proplets];
    this.propletPlaces = new Map(graph.proplets.map((id, place) => [id, place]));
    this.created = Float64Array.from(tasks.created);
    this.queued = new Float64Array(structure.count);
    this.placed = Float64Array.from(tasks.placed);
    this.started = Float64Array.from(tasks.started);
    this.finished = Float64Array.from(tasks.finished);
    this.up = Uint8Array.from(tasks.up);
    this.subWorkflows = tasks.sub_workflows;
    this.pastRuns = runsByTask(graph.past_attempts);
    this.past = this.pastRuns;
    this.executions = runsByTask(graph.executions);
    this.counts = new Int32Array(STATES.length);
    for (const state of this.states) this.counts[state] = at(this.counts, state) + 1;
  }

  /** Take in rows in their order. */
  apply(rows: readonly Row[]): Change {
    const changed = new Set<number>();
    let isIncomplete = false;
    for (const row of rows) {
      const place = this.structure.indexOf.get(row[0]);
      if (place === undefined) isIncomplete = true;
      else {
        if (this.applyRow(place, row)) isIncomplete = true;
        changed.add(place);
      }
    }
    return { changed: [...changed], isIncomplete };
  }

  /** Take in one row; true if it leaves something open that only the graph tells. */
  private applyRow(place: number, [, state, attempt, propletId, ms, up]: Row): boolean {
    const before = at(this.states, place);
    const isNext = attempt > at(this.attempts, place);
    const isReset = state === PENDING || state === SCHEDULED;
    const isPast = (isNext || isReset) && this.keepAttempt(place, before, ms);
    this.counts[before] = at(this.counts, before) - 1;
    this.counts[state] = at(this.counts, state) + 1;
    this.states[place] = state;
    this.attempts[place] = attempt;
    this.up[place] = up;
    if (propletId) this.proplets[place] = this.propletPlace(propletId);
    if (isReset) {
      this.proplets[place] = -1;
      this.placed[place] = this.started[place] = this.finished[place] = 0;
      this.queued[place] = state === SCHEDULED ? ms : 0;
    } else if (state === RUNNING) {
      if (isNext || before !== RUNNING || !at(this.started, place))
        this.placed[place] = this.started[place] = ms;
      this.finished[place] = 0;
    } else {
      this.finished[place] = ms;
    }
    return isPast;
  }

  /** Keep the attempt that is over now; true if there was one and the manager has not said how it ended. */
  private keepAttempt(place: number, state: number, ms: number): boolean {
    const started = at(this.started, place);
    if (!started) return false;
    const attempt = at(this.attempts, place);
    const runs = this.pastRuns.get(place) ?? [];
    if (runs.some((run) => run.attempt === attempt)) return false;
    const isSaid = hasEnded(state);
    const finished = isSaid ? at(this.finished, place) : ms;
    runs.push({
      attempt,
      state: isSaid ? state : NOT_SAID,
      proplet: at(this.proplets, place),
      started,
      finished,
    });
    this.pastRuns.set(place, runs);
    return !isSaid;
  }

  private propletPlace(id: string): number {
    let place = this.propletPlaces.get(id);
    if (place === undefined) {
      place = this.propletIds.push(id) - 1;
      this.propletPlaces.set(id, place);
    }
    return place;
  }

  /** Give how long the present attempt took, or takes so far, ms; 0 before it began. */
  took(place: number, now: number): number {
    const started = at(this.started, place);
    if (!started) return 0;
    const finished = at(this.finished, place);
    if (finished) return Math.max(0, finished - started);
    return at(this.states, place) === RUNNING || at(this.up, place) ? Math.max(0, now - started) : 0;
  }

  /** Give since when a task could have run: when its last parent ended, or else when the first task began. */
  readySince(place: number): number {
    const queued = at(this.queued, place);
    if (queued) return queued;
    const { start, items } = this.structure.parents;
    let since = 0;
    for (let next = at(start, place); next < at(start, place + 1); next++) {
      since = Math.max(since, at(this.finished, at(items, next)));
    }
    return since;
  }

  /** True while some task is on a proplet or waits for one. */
  get isUnderWay(): boolean {
    return at(this.counts, RUNNING) + at(this.counts, SCHEDULED) > 0;
  }

  /** Give how many tasks have ended. */
  get ended(): number {
    let sum = 0;
    for (let state = COMPLETED; state < STATES.length; state++) sum += at(this.counts, state);
    return sum;
  }
}

function runsByTask(rows: readonly number[][]): Map<number, Run[]> {
  const runs = new Map<number, Run[]>();
  for (const row of rows) {
    const [task, attempt, state, proplet, started, finished] = row as [
      number,
      number,
      number,
      number,
      number,
      number,
    ];
    const of = runs.get(task) ?? [];
    of.push({ attempt, state, proplet, started, finished });
    runs.set(task, of);
  }
  return runs;
}

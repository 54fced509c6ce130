// The rows of the timeline and what is in them: which tasks, in the order of their beginning, and their bars. Pure.

import { hasEnded, RUNNING, SCHEDULED } from "../../states";
import type { GroupModel, Run } from "./model";
import { at } from "./structure";

/** Something that a row shows from one time to another, ms. */
export type Bar = {
  /** A wait for a proplet, or a run. */
  kind: "queued" | "run";
  /** Of a run; -1 where the manager has not said it. */
  state: number;
  attempt: number;
  proplet: number;
  from: number;
  to: number;
  /** Which of how many strips of the row. */
  lane: number;
  lanes: number;
};

/** The tasks in order, and where a heading stands: at the place of a row, a proplet; -1 for none. */
export type Rows = { tasks: Int32Array; headings: ReadonlyMap<number, number> };

/** Give when a task first did something: 0 if it has not yet. */
export function beginOf(model: GroupModel, place: number): number {
  const first = model.past.get(place)?.[0]?.started ?? 0;
  if (first) return first;
  const started = at(model.started, place);
  if (started) return started;
  if (at(model.states, place) === SCHEDULED) return model.readySince(place) || at(model.created, place);
  return at(model.finished, place);
}

/** Give the tasks that are marked in all of `masks`, the first to begin first; by proplet, if asked. */
export function timelineRows(
  model: GroupModel,
  masks: readonly (Uint8Array | null)[],
  isByProplet: boolean,
): Rows {
  const { count } = model.structure;
  const begins = new Float64Array(count);
  const tasks = new Int32Array(count);
  let length = 0;
  for (let place = 0; place < count; place++) {
    if (!masks.every((mask) => mask === null || mask[place])) continue;
    begins[place] = beginOf(model, place) || Number.POSITIVE_INFINITY;
    tasks[length++] = place;
  }
  const shown = tasks.subarray(0, length);
  const early = (one: number, other: number): number => {
    const [first, second] = [at(begins, one), at(begins, other)];
    return first < second ? -1 : first > second ? 1 : one - other;
  };
  if (!isByProplet) return { tasks: shown.sort(early), headings: new Map() };
  // Those on no proplet stand last.
  const group = (place: number): number =>
    at(model.proplets, place) < 0 ? Infinity : at(model.proplets, place);
  shown.sort((one, other) => (group(one) === group(other) ? early(one, other) : group(one) - group(other)));
  return withHeadings(model, shown);
}

/** Put a row with the place of no task before the tasks of each proplet. */
function withHeadings(model: GroupModel, tasks: Int32Array): Rows {
  const rows: number[] = [];
  const headings = new Map<number, number>();
  let before: number | null = null;
  for (const place of tasks) {
    const proplet = at(model.proplets, place);
    if (proplet !== before) {
      headings.set(rows.length, proplet);
      rows.push(-1);
      before = proplet;
    }
    rows.push(place);
  }
  return { tasks: Int32Array.from(rows), headings };
}

/** Give the bars of a task, the first first. */
export function barsOf(model: GroupModel, place: number, now: number): Bar[] {
  const bars: Bar[] = [];
  const past = model.past.get(place) ?? [];
  const ready = firstReady(model, place);
  const attempt = at(model.attempts, place);
  for (const run of past) {
    if (run.attempt >= attempt && at(model.started, place)) continue;
    if (ready && run.attempt === 1 && run.started > ready) bars.push(queued(ready, run.started));
    bars.push({ kind: "run", ...run, from: run.started, to: run.finished || now, lane: 0, lanes: 1 });
  }
  const started = at(model.started, place);
  const state = at(model.states, place);
  const executions = model.executions.get(place) ?? [];
  if (started) {
    // Before a later attempt a task may have rested, until somebody asked for a rerun.
    const wait = at(model.queued, place) || (attempt <= 1 ? ready : 0);
    if (wait && started > wait) bars.push(queued(wait, started));
    const isOpen = state === RUNNING || at(model.up, place) === 1;
    const to = isOpen ? now : at(model.finished, place) || started;
    if (executions.length > 0) bars.push(...lanesOf(executions, now));
    else {
      const proplet = at(model.proplets, place);
      bars.push({
        kind: "run",
        state,
        attempt,
        proplet,
        from: started,
        to: Math.max(started, to),
        lane: 0,
        lanes: 1,
      });
    }
  } else if (state === SCHEDULED) {
    const wait = at(model.queued, place) || ready;
    if (wait) bars.push(queued(wait, now));
  } else if (hasEnded(state) && at(model.finished, place)) {
    // It never ran: there is a moment, and no time that it took.
    const moment = at(model.finished, place);
    bars.push({ kind: "run", state, attempt, proplet: -1, from: moment, to: moment, lane: 0, lanes: 1 });
  }
  return bars;
}

function firstReady(model: GroupModel, place: number): number {
  const { start } = model.structure.parents;
  return at(start, place + 1) > at(start, place) ? model.readySince(place) : at(model.queued, place);
}

function queued(from: number, to: number): Bar {
  return { kind: "queued", state: SCHEDULED, attempt: 0, proplet: -1, from, to, lane: 0, lanes: 1 };
}

function lanesOf(executions: readonly Run[], now: number): Bar[] {
  return executions.map((run, lane) => ({
    kind: "run",
    ...run,
    from: run.started,
    to: run.finished || now,
    lane,
    lanes: executions.length,
  }));
}

/** Give the time from the first beginning to the last end, or until now where something is under way. */
export function spanOf(model: GroupModel, now: number): { from: number; to: number } | null {
  let from = Number.POSITIVE_INFINITY;
  let to = 0;
  for (let place = 0; place < model.structure.count; place++) {
    const begin = beginOf(model, place);
    if (!begin) continue;
    from = Math.min(from, begin);
    to = Math.max(to, at(model.finished, place), begin);
  }
  if (!Number.isFinite(from)) return null;
  if (model.isUnderWay) to = Math.max(to, now);
  return { from, to: Math.max(to, from + 1) };
}

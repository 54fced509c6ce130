// What is done to several workflows or jobs at once: to which of the selected ones, and what that means in words.

import { Refused, Unreachable } from "../../api/errors";
import type { Deed } from "../../parts/deeds";
import { flag, idWords, type Recipe } from "../../parts/recipe";
import { wordOf } from "../../states";
import { count } from "../../words";
import { type GroupRow, type Kind, nameOf, progressOf } from "./rows";

export type Action = Deed;

export type Plan = {
  title: string;
  /** What will happen, one matter a line. */
  lines: readonly string[];
  /** The word on the button. */
  word: string;
  isDangerous: boolean;
  /** Those that it is done to. */
  rows: readonly GroupRow[];
};

const WORDS: Record<Action, string> = {
  start: "Start",
  stop: "Stop",
  "rerun-failed": "Rerun what failed",
  "rerun-all": "Rerun all tasks",
  delete: "Delete",
};

export function wordFor(action: Action): string {
  return WORDS[action];
}

/** Say whether an action can be done to a workflow or job as it is now. */
export function isOpenTo(action: Action, row: GroupRow): boolean {
  const { open, ended, bad, total } = progressOf(row.counts);
  if (action === "delete") return true;
  if (action === "start") return row.isPattern || (total > 0 && row.counts.pending === total);
  if (action === "stop") return open > 0;
  if (open > 0) return false;
  return action === "rerun-failed" ? bad > 0 : ended > 0;
}

/** Say what an action will do to those that are selected. */
export function planOf(action: Action, selected: readonly GroupRow[], kind: Kind): Plan {
  const rows = selected.filter((row) => isOpenTo(action, row));
  const left = selected.length - rows.length;
  const those = many(rows.length, kind);
  const lines = [`${inStates(rows)}.`, ...effects(action, rows), ...leftOut(action, left)];
  return {
    title: `${WORDS[action].replace("what failed", "what failed in").replace("all tasks", "all tasks of")} ${those}?`,
    lines,
    word: WORDS[action],
    isDangerous: action === "stop" || action === "delete",
    rows,
  };
}

function effects(action: Action, rows: readonly GroupRow[]): string[] {
  const all = rows.map((row) => progressOf(row.counts));
  const sum = (part: "open" | "bad" | "total", withPatterns = true): number =>
    rows.reduce(
      (total, row) => (row.isPattern && !withPatterns ? total : total + progressOf(row.counts)[part]),
      0,
    );
  const patterns = rows.filter((row) => row.isPattern).length;
  const others = rows.length - patterns;
  switch (action) {
    case "start":
      return [
        ...(others
          ? [`${tasks(sum("total", false), "")} will run, each when those that it depends on have ended.`]
          : []),
        ...(patterns ? [`${haveSchedule(patterns)}: a copy is made and started now.`] : []),
      ];
    case "stop":
      return [
        ...(others
          ? [
              `${tasks(sum("open", false))} not ended yet, and will be interrupted. A rerun can run them again later.`,
            ]
          : []),
        ...(patterns
          ? [`${haveSchedule(patterns)}: copies that run are stopped, and later times come as before.`]
          : []),
      ];
    case "rerun-failed":
      return [
        `${tasks(sum("bad"))} failed, interrupted or skipped, and will run again with all that hangs on them. ` +
          "The others keep their results.",
      ];
    case "rerun-all":
      return [`All ${tasks(sum("total"), "")} will run again. Their present results are replaced.`];
    case "delete": {
      const running = all.filter((one) => one.open > 0).length;
      return [
        `All ${tasks(sum("total"), "")} will be deleted, with their results, logs and history. This can't be undone.`,
        ...(running
          ? [`${count(running)} ${running === 1 ? "has" : "have"} not ended, and will be stopped.`]
          : []),
      ];
    }
  }
}

function haveSchedule(number: number): string {
  return number === 1 ? "1 has a schedule" : `${count(number)} have a schedule`;
}

function tasks(number: number, verb = number === 1 ? " has" : " have"): string {
  return `${count(number)} ${number === 1 ? "task" : "tasks"}${verb}`;
}

function leftOut(action: Action, left: number): string[] {
  if (left === 0) return [];
  const why = {
    start: "started before",
    stop: "ended already",
    "rerun-failed": "nothing to run again, or not ended yet",
    "rerun-all": "not ended yet",
    delete: "",
  }[action];
  return [`${count(left)} of the selected ${left === 1 ? "stays as it is" : "stay as they are"}: ${why}.`];
}

/** Say how many of each state there are: `2 running, 1 failed`. */
function inStates(rows: readonly GroupRow[]): string {
  const numbers = new Map<string, number>();
  for (const row of rows) numbers.set(wordOf(row.state), (numbers.get(wordOf(row.state)) ?? 0) + 1);
  return [...numbers].map(([word, number]) => `${count(number)} ${word}`).join(", ");
}

function many(number: number, kind: Kind): string {
  return number === 1 ? `1 ${kind}` : `${count(number)} ${kind}s`;
}

/** Say how the same is done elsewhere: one request for each, and one command where one takes several. */
export function recipeForMany(action: Action, rows: readonly GroupRow[], kind: Kind): Recipe {
  const ids = rows.map(({ id }) => id);
  const what = action === "rerun-all" ? "all" : "failed";
  const verb = action === "rerun-all" || action === "rerun-failed" ? "rerun" : action;
  const calls = ids.map((id): Recipe["calls"][number] => {
    const place = `/${kind}s/${encodeURIComponent(id)}`;
    if (verb === "delete") return { method: "DELETE", path: place };
    return { method: "POST", path: `${place}/${verb}`, ...(verb === "rerun" ? { body: { what } } : {}) };
  });
  const isOneByOne = verb === "rerun" || verb === "start";
  const flags = verb === "rerun" ? [flag("what", what)] : [];
  const commands = isOneByOne
    ? ids.map((id) => ({ words: [`${kind}s`, verb, ...flags, ...idWords(id)] }))
    : [{ words: [`${kind}s`, verb, "--yes", ...idWords(...ids)] }];
  return { calls, commands };
}

export type BulkFailure = { id: string; name: string; message: string };

/** How many requests are under way at once. */
const AT_ONCE = 4;

/**
 * Do something to each row that is not in `done`, and put it there.
 *
 * @returns those that were refused, with the manager's words
 * @throws Unreachable if the manager did not answer for some; those are not in `done`
 */
export async function carryOut(
  rows: readonly GroupRow[],
  one: (row: GroupRow) => Promise<unknown>,
  done: Set<string>,
): Promise<BulkFailure[]> {
  const failures: BulkFailure[] = [];
  let unreachable: Unreachable | null = null;
  const left = rows.filter((row) => !done.has(row.id));
  const work = async (): Promise<void> => {
    for (let row = left.shift(); row !== undefined; row = left.shift()) {
      try {
        await one(row);
      } catch (error) {
        if (error instanceof Unreachable) {
          unreachable = error;
          continue;
        }
        if (!(error instanceof Refused)) throw error;
        failures.push({ id: row.id, name: nameOf(row), message: error.message });
      }
      done.add(row.id);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  if (unreachable !== null) throw unreachable;
  return failures;
}

import { describe, expect, it } from "vitest";
import { Refused, Unreachable } from "../src/api/errors";
import { carryOut, isOpenTo, planOf } from "../src/pages/groups/bulk";
import { type GroupRow, queryOf, rowOf } from "../src/pages/groups/rows";

const NONE = { pending: 0, scheduled: 0, running: 0, completed: 0, failed: 0, skipped: 0, interrupted: 0 };

function row(id: string, state: number, counts: Partial<typeof NONE>): GroupRow {
  return {
    id,
    name: "",
    state,
    counts: { ...NONE, ...counts },
    created: 0,
    started: 0,
    finished: 0,
    labels: undefined,
    earlier: [],
    nextRun: 0,
    isPattern: false,
    runOf: "",
    runFor: "",
  };
}

const RUNNING = row("runs", 2, { running: 2, completed: 1, pending: 1 });
const FAILED = row("failed", 4, { completed: 3, failed: 1, skipped: 2 });
const COMPLETED = row("done", 3, { completed: 4 });
const FRESH = row("fresh", 0, { pending: 1 });

describe("what can be done", () => {
  it.each([
    ["start", ["fresh"]],
    ["stop", ["runs", "fresh"]],
    ["rerun-failed", ["failed"]],
    ["rerun-all", ["failed", "done"]],
    ["delete", ["runs", "failed", "done", "fresh"]],
  ] as const)("%s", (action, ids) => {
    const open = [RUNNING, FAILED, COMPLETED, FRESH].filter((one) => isOpenTo(action, one));
    expect(open.map((one) => one.id)).toEqual(ids);
  });
});

describe("what will happen", () => {
  it("is said with numbers, states, and what stays as it is", () => {
    const plan = planOf("stop", [RUNNING, FAILED, FRESH], "workflow");
    expect(plan.title).toBe("Stop 2 workflows?");
    expect(plan.lines).toEqual([
      "1 running, 1 pending.",
      "4 tasks have not ended yet, and will be interrupted. A rerun can run them again later.",
      "1 of the selected stays as it is: ended already.",
    ]);
    expect(plan.rows).toEqual([RUNNING, FRESH]);
  });
  it("tells those that have a schedule from those that run themselves", () => {
    const pattern = { ...FRESH, isPattern: true };
    expect(planOf("start", [FRESH, pattern], "workflow").lines).toEqual([
      "2 pending.",
      "1 task will run, each when those that it depends on have ended.",
      "1 has a schedule: a copy is made and started now.",
    ]);
    expect(planOf("stop", [RUNNING, pattern], "workflow").lines.slice(1)).toEqual([
      "3 tasks have not ended yet, and will be interrupted. A rerun can run them again later.",
      "1 has a schedule: copies that run are stopped, and later times come as before.",
    ]);
  });
  it("is said before something is deleted", () => {
    const plan = planOf("delete", [RUNNING], "job");
    expect(plan.title).toBe("Delete 1 job?");
    expect(plan.lines.join(" ")).toContain("All 4 tasks will be deleted, with their results");
    expect(plan.lines.join(" ")).toContain("1 has not ended, and will be stopped.");
    expect(plan.isDangerous).toBe(true);
  });
  it("is said before something runs again", () => {
    expect(planOf("rerun-failed", [FAILED, COMPLETED], "job").title).toBe("Rerun what failed in 1 job?");
    expect(planOf("rerun-all", [FAILED, COMPLETED], "job").title).toBe("Rerun all tasks of 2 jobs?");
  });
});

describe("doing it", () => {
  it("goes on after a refusal, and says it", async () => {
    const done = new Set<string>();
    const failures = await carryOut(
      [RUNNING, FAILED, FRESH],
      async (one) => {
        if (one.id === "failed") throw new Refused(409, "it has ended");
      },
      done,
    );
    expect(failures).toEqual([{ id: "failed", name: "failed", message: "it has ended" }]);
    expect([...done].sort()).toEqual(["failed", "fresh", "runs"]);
  });
  it("does only what is left when it is tried again", async () => {
    const done = new Set<string>();
    const asked: string[] = [];
    let isThere = false;
    const one = async (of: GroupRow): Promise<void> => {
      asked.push(of.id);
      if (of.id === "fresh" && !isThere) throw new Unreachable("no answer");
    };
    await expect(carryOut([RUNNING, FRESH], one, done)).rejects.toThrow("no answer");
    isThere = true;
    expect(await carryOut([RUNNING, FRESH], one, done)).toEqual([]);
    expect(asked).toEqual(["runs", "fresh", "fresh"]);
  });
});

it("has not finished while one of its tasks may still run", () => {
  const times = { created_at: "2026-01-31T12:00:00Z", start_time: "2026-01-31T12:00:00Z" };
  const view = { ...times, workflow_id: "w", state: 2, finish_time: "2026-01-31T12:00:05Z" } as const;
  const done = { ...NONE, completed: 2 };
  expect(rowOf("w", { ...view, counts: { ...done, pending: 1 } }).finished).toBe(0);
  expect(rowOf("w", { ...view, counts: done }).finished).toBe(Date.UTC(2026, 0, 31, 12, 0, 5));
});

it("asks the API by what the address says, and leaves out what is no filter", () => {
  const none = { state: "", search: "", labels: [], since: "", until: "", cursor: "" };
  expect(queryOf(none, 0)).toEqual({ limit: 50, earlier: 20 });
  const now = Date.UTC(2026, 0, 31, 12);
  expect(
    queryOf(
      { ...none, state: "failed", search: "n", labels: ["a=1"], since: "1h", until: "x", cursor: "c" },
      now,
    ),
  ).toEqual({
    limit: 50,
    earlier: 20,
    state: "failed",
    search: "n",
    label: ["a=1"],
    since: "2026-01-31T11:00:00.000Z",
    cursor: "c",
  });
  expect(queryOf({ ...none, state: "<b>" }, 0)).toEqual({ limit: 50, earlier: 20 });
});

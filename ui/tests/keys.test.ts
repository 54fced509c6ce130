import { describe, expect, it } from "vitest";
import { actionsOf, TASK_KEYS } from "../src/pages/task/deeds";
import { inOrder, type Key, type Listing } from "../src/parts/key-order";
import { COMPLETED, FAILED, PENDING, RUNNING } from "../src/states";

function listing(title: string, rank: Listing["rank"], ...keys: string[]): Listing {
  return { title, rank, keys: keys.map((one): Key => ({ keys: one, text: `${title} ${one}` })) };
}

describe("keys that two take", () => {
  it("are those of a panel before those of its page, whoever came last", () => {
    const all = [
      listing("Task", "panel", "d", "1"),
      listing("Workflow", "page", "d", "x"),
      listing("Everywhere", "everywhere", "1", "2"),
    ];
    for (const given of [all, [...all].reverse()]) {
      expect(inOrder(given).map((one) => [one.title, one.keys.map((key) => key.keys)])).toEqual([
        ["Task", ["d", "1"]],
        ["Workflow", ["x"]],
        ["Everywhere", ["2"]],
      ]);
    }
  });

  it("leave out a listing of which nothing is left", () => {
    const all = [listing("Task", "panel", "d"), listing("Workflow", "page", "d")];
    expect(inOrder(all).map((one) => one.title)).toEqual(["Task"]);
  });
});

describe("keys of a task", () => {
  const doneBy = (keys: string, state: 0 | 2 | 3 | 4, workflow?: string): string | undefined => {
    const actions = actionsOf({ state, ...(workflow && { workflow_id: workflow }) });
    return TASK_KEYS.find((one) => one.keys === keys)?.wanted.find((one) => actions.includes(one));
  };

  it("do what its state lets be done", () => {
    expect([PENDING, RUNNING, FAILED].map((state) => doneBy("s", state as 0 | 2 | 4))).toEqual([
      "start",
      undefined,
      "startAgain",
    ]);
    expect([PENDING, RUNNING, COMPLETED].map((state) => doneBy("x", state as 0 | 2 | 3))).toEqual([
      "stop",
      "stop",
      undefined,
    ]);
  });

  it("rerun what hangs on it too, where it is in a workflow", () => {
    expect(doneBy("r", COMPLETED)).toBe("startAgain");
    expect(doneBy("r", COMPLETED, "w")).toBe("rerunFrom");
    expect(doneBy("r", RUNNING, "w")).toBeUndefined();
  });
});

import { describe, expect, it } from "vitest";
import { type Camera, fitted, kept, revealing, under, zoomed } from "../src/pages/group/camera";
import { type Graph, GroupModel } from "../src/pages/group/model";
import { movedSpan, padded, ticksOf, tickText, zoomedSpan } from "../src/pages/group/timeline_axis";
import { barsOf, spanOf, timelineRows } from "../src/pages/group/timeline_rows";
import { COMPLETED, FAILED, PENDING, RUNNING, SCHEDULED, SKIPPED } from "../src/states";

type Given = { state: number; started?: number; finished?: number; proplet?: number; attempt?: number };

function modelOf(tasks: readonly Given[], more: Partial<Graph> = {}): GroupModel {
  const column = (pick: (task: Given) => number): number[] => tasks.map(pick);
  return new GroupModel({
    event_id: 1,
    tasks: {
      ids: tasks.map((_, place) => `t${place}`),
      names: tasks.map(() => "main"),
      states: column((task) => task.state) as Graph["tasks"]["states"],
      attempts: column((task) => task.attempt ?? 1),
      proplets: column((task) => task.proplet ?? -1),
      created: column(() => 1),
      placed: column((task) => task.started ?? 0),
      started: column((task) => task.started ?? 0),
      finished: column((task) => task.finished ?? 0),
      up: column(() => 0),
      conditions: tasks.map(() => ""),
      sub_workflows: tasks.map(() => ""),
    },
    proplets: ["p0", "p1"],
    edges: [],
    past_attempts: [],
    executions: [],
    ...more,
  });
}

const ran = (started: number, finished: number, proplet = 0): Given => ({
  state: COMPLETED,
  started,
  finished,
  proplet,
});

describe("rows of the timeline", () => {
  const model = modelOf([ran(50, 60, 1), { state: PENDING }, ran(10, 90), ran(20, 30, 1)]);

  it("stand in the order of their beginning, and what has not begun stands last", () => {
    expect([...timelineRows(model, [null], false).tasks]).toEqual([2, 3, 0, 1]);
    expect([...timelineRows(model, [Uint8Array.of(1, 0, 0, 1)], false).tasks]).toEqual([3, 0]);
  });

  it("have a heading for each proplet where they are grouped", () => {
    const { tasks, headings } = timelineRows(model, [], true);
    expect([...tasks]).toEqual([-1, 2, -1, 3, 0, -1, 1]);
    expect([...headings]).toEqual([
      [0, 0],
      [2, 1],
      [5, -1],
    ]);
  });

  it("span from the first beginning to the last end, or until now while something runs", () => {
    expect(spanOf(model, 500)).toEqual({ from: 10, to: 90 });
    expect(spanOf(modelOf([ran(10, 90), { state: RUNNING, started: 20 }]), 500)).toEqual({
      from: 10,
      to: 500,
    });
    expect(spanOf(modelOf([{ state: PENDING }]), 500)).toBeNull();
  });
});

describe("bars of a task", () => {
  const kinds = (model: GroupModel, place: number): [string, number, number][] =>
    barsOf(model, place, 100).map(({ kind, from, to }) => [kind, from, to]);

  it("show the wait behind the last parent, and the run", () => {
    const model = modelOf([ran(10, 20), ran(10, 40), ran(55, 70)], { edges: [0, 2, 1, 2] });
    expect(kinds(model, 2)).toEqual([
      ["queued", 40, 55],
      ["run", 55, 70],
    ]);
  });

  it("show each attempt, and as a wait between them only what the manager called one", () => {
    const model = modelOf([{ state: RUNNING, started: 60, attempt: 3, proplet: 1 }], {
      past_attempts: [
        [0, 1, FAILED, 0, 10, 20],
        [0, 2, FAILED, 0, 30, 40],
      ],
    });
    expect(kinds(model, 0)).toEqual([
      ["run", 10, 20],
      ["run", 30, 40],
      ["run", 60, 100],
    ]);
    expect(barsOf(model, 0, 100).map((bar) => bar.state)).toEqual([FAILED, FAILED, RUNNING]);
    model.apply([
      ["t0", SCHEDULED, 3, "", 75, 0],
      ["t0", RUNNING, 4, "p0", 80, 0],
    ]);
    expect(kinds(model, 0).slice(-2)).toEqual([
      ["queued", 75, 80],
      ["run", 80, 100],
    ]);
  });

  it("show a wait that goes on, and nothing for what has not begun", () => {
    const model = modelOf([{ state: PENDING }]);
    expect(kinds(model, 0)).toEqual([]);
    model.apply([["t0", SCHEDULED, 0, "", 70, 0]]);
    expect(kinds(model, 0)).toEqual([["queued", 70, 100]]);
  });

  it("show a moment for what never ran", () => {
    expect(kinds(modelOf([{ state: SKIPPED, finished: 30 }]), 0)).toEqual([["run", 30, 30]]);
  });

  it("show the proplets of a broadcast task as strips of its row", () => {
    const model = modelOf([{ state: RUNNING, started: 10 }], {
      executions: [
        [0, 1, COMPLETED, 0, 10, 20],
        [0, 1, RUNNING, 1, 10, 0],
      ],
    });
    expect(barsOf(model, 0, 100).map(({ lane, lanes, to }) => [lane, lanes, to])).toEqual([
      [0, 2, 20],
      [1, 2, 100],
    ]);
  });
});

describe("the time axis", () => {
  it("has lines at full steps of the reader's zone, far enough apart", () => {
    expect(ticksOf({ from: 900, to: 5_200 }, 500, 100, () => 0)).toEqual([1000, 2000, 3000, 4000, 5000]);
    const hour = 3_600_000;
    expect(ticksOf({ from: 0, to: 86_400_000 }, 400, 100, () => 2 * hour)).toEqual(
      [2, 8, 14, 20].map((at) => at * hour),
    );
  });

  it("says times as exactly as the lines are close", () => {
    expect(tickText(Date.UTC(2026, 0, 1, 0, 0, 1, 250), 250)).toMatch(/01\.250$/);
  });

  it("zooms around a time, and moves no farther than there is something to see", () => {
    const most = { from: 0, to: 1000 };
    expect(zoomedSpan({ from: 0, to: 1000 }, 2, 0.5, most)).toEqual({ from: 250, to: 750 });
    expect(zoomedSpan({ from: 0, to: 1000 }, 2, 0, most)).toEqual({ from: 0, to: 500 });
    expect(movedSpan({ from: 0, to: 100 }, 99_999, most).from).toBe(990);
    expect(padded(most).from).toBeLessThan(0);
  });
});

describe("the camera", () => {
  const screen = { width: 1000, height: 500 };
  const drawing = { width: 4000, height: 400 };
  const camera: Camera = { x: 0, y: 0, zoom: 1 };

  it("shows all of a drawing in the middle", () => {
    const { x, y, zoom } = fitted(drawing, screen);
    expect(zoom).toBeCloseTo(0.238);
    expect(x * 2 + drawing.width * zoom).toBeCloseTo(1000);
    expect(y * 2 + drawing.height * zoom).toBeCloseTo(500);
  });

  it("keeps the point under the mouse where it is", () => {
    const next = zoomed(camera, 2, { x: 300, y: 100 }, 0.01);
    expect(under(next, { left: 300, top: 100, right: 300, bottom: 100 })).toEqual({
      left: 300,
      top: 100,
      right: 300,
      bottom: 100,
    });
  });

  it("never loses the drawing, and brings a part of it on the screen", () => {
    expect(kept({ x: -99_999, y: 99_999, zoom: 1 }, drawing, screen)).toEqual({ x: -3940, y: 440, zoom: 1 });
    expect(revealing(camera, { left: 100, top: 100, right: 200, bottom: 140 }, screen)).toEqual(camera);
    expect(revealing(camera, { left: 3000, top: 100, right: 3100, bottom: 140 }, screen).x).toBe(-2550);
  });
});

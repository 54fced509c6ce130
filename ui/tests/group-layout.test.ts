import { describe, expect, it } from "vitest";
import { type Boxes, fold, pattern, patternsOf, shared } from "../src/pages/group/fold";
import { type Layout, type LayoutInput, layOut } from "../src/pages/group/layout";
import { at, listed, listsOf, structureOf } from "../src/pages/group/structure";

type Drawn = { count: number; edges: number[] };

/** A root, `wide` chains of `long`, and a join. */
function fan(wide: number, long: number): Drawn {
  const edges: number[] = [];
  const last = wide * long + 1;
  for (let chain = 0; chain < wide; chain++) {
    let before = 0;
    for (let step = 0; step < long; step++) {
      const task = 1 + chain * long + step;
      edges.push(before, task);
      before = task;
    }
    edges.push(before, last);
  }
  return { count: last + 1, edges };
}

function chain(count: number): Drawn {
  return { count, edges: Array.from({ length: count - 1 }, (_, task) => [task, task + 1]).flat() };
}

/** Two parents for each task, among the thousand before it, by a fixed sequence of numbers. */
function tangled(count: number): Drawn {
  let seed = 7;
  const next = (below: number): number => {
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) & 0x7fff_ffff;
    return Math.floor((seed / 0x8000_0000) * below);
  };
  const edges: number[] = [];
  for (let task = 100; task < count; task++) {
    const from = Math.max(0, task - 1000);
    edges.push(from + next(task - from), task, from + next(task - from), task);
  }
  return { count, edges };
}

function folded({ count, edges }: Drawn, patterns = new Int32Array(count), from?: number): Boxes {
  const pairs = Int32Array.from(edges);
  return fold(
    { count, edges: pairs, parents: listsOf(count, pairs, 1), children: listsOf(count, pairs, 0) },
    patterns,
    from,
  );
}

function laidOut({ count, edges }: Drawn, more: Partial<LayoutInput> = {}): Layout {
  const input = {
    count,
    edges: Int32Array.from(edges),
    patterns: new Int32Array(count),
    open: [],
    aspect: 1.6,
  };
  return layOut({ ...input, ...more });
}

const sizes = (boxes: Boxes): number[] =>
  Array.from({ length: boxes.count }, (_, box) => listed(boxes.members, box).length);

describe("folding", () => {
  it("leaves a graph of five hundred as it is", () => {
    expect(folded(fan(498, 1)).count).toBe(500);
    expect(folded(fan(499, 1)).count).toBe(3);
  });

  it("makes one box of equal siblings, and of each step of equal chains", () => {
    const boxes = folded(fan(1000, 3));
    expect(sizes(boxes)).toEqual([1, 1000, 1000, 1000, 1]);
    expect([...boxes.edges]).toEqual([0, 1, 1, 2, 2, 3, 3, 4]);
    expect([...listed(boxes.members, 1)].slice(0, 3)).toEqual([1, 4, 7]);
  });

  it("keeps apart what has another name, other parents or other children", () => {
    const { count, edges } = fan(6, 1);
    const patterns = Int32Array.from([0, 1, 1, 2, 1, 1, 1, 0]);
    expect(sizes(folded({ count, edges }, patterns, 0))).toEqual([1, 5, 1, 1]);
    // One that somebody else waits for too.
    expect(sizes(folded({ count: count + 1, edges: [...edges, 1, count] }, undefined, 0))).toEqual([
      1, 1, 5, 1, 1,
    ]);
    // One that waits for somebody else too.
    expect(sizes(folded({ count: count + 1, edges: [...edges, count, 1] }, undefined, 0))).toEqual([
      1, 1, 5, 1, 1,
    ]);
  });

  it("has no edge twice and none from a box to itself", () => {
    const boxes = folded(tangled(3000));
    const pairs = new Set<string>();
    for (let edge = 0; edge < boxes.edges.length; edge += 2) {
      expect(boxes.edges[edge]).not.toBe(boxes.edges[edge + 1]);
      pairs.add(`${boxes.edges[edge]} ${boxes.edges[edge + 1]}`);
    }
    expect(pairs.size).toBe(boxes.edges.length / 2);
  });

  it("takes ids that differ in numbers as the same, and random ids as nothing", () => {
    expect(pattern("load-17.b")).toBe("load-*.b");
    expect(pattern("x 0b9c1d1e-3c8a-4f57-9a55-0c2f6f2d9f10")).toBe("x *");
    expect(shared("run 7 load-17", "run 7 load-99")).toBe("run 7 load-*");
    const ids = Array.from({ length: 40 }, (_, task) => (task % 2 ? `load-${task}` : `store-${task}`));
    const names = ids.map(() => "main");
    const conditions = ids.map((_, task) => (task === 39 ? "failure" : ""));
    const patterns = patternsOf(structureOf(ids, names, conditions, [], undefined));
    expect([...patterns].slice(0, 4)).toEqual([0, 1, 0, 1]);
    expect(patterns[39]).toBe(2);
    const random = ids.map((_, task) => "abcdefghijklmnopqrstuvwxyz".slice(task % 26) + "z".repeat(task));
    expect(new Set(patternsOf(structureOf(random, names, names, [], undefined))).size).toBe(1);
  });
});

describe("the layout", () => {
  it.each([
    ["few", fan(5, 2)],
    ["a folded fan", fan(20_000, 2)],
    ["a chain", chain(900)],
    ["a tangle", tangled(3000)],
    ["tasks without edges", { count: 2000, edges: [] }],
  ])("of %s lets no two boxes overlap, and goes from left to right", (_, drawn) => {
    const layout = laidOut(drawn, {
      patterns: Int32Array.from({ length: drawn.count }, (_, task) => task % 7),
    });
    expectApart(layout);
  });

  it("opens a box into a grid that holds its tasks, and moves others away", () => {
    const layout = laidOut(fan(1000, 1), { open: [1] });
    const columns = layout.columns[1] as number;
    expect(columns).toBeGreaterThan(10);
    expect(layout.h[1]).toBeGreaterThan((1000 / columns) * 14);
    expectApart(layout);
  });

  it("cuts a long chain into bands, so that it has about the form of the screen", () => {
    const { width, height } = laidOut(chain(5000));
    expect(width / height).toBeGreaterThan(0.8);
    expect(width / height).toBeLessThan(3.2);
  });

  it("lays tasks without edges out as a grid", () => {
    const { width, height } = laidOut({ count: 300, edges: [] });
    expect(width / height).toBeGreaterThan(0.8);
    expect(width / height).toBeLessThan(3.2);
  });

  it.each([
    ["a chain", chain(50_000)],
    ["a tangle", tangled(50_000)],
    ["a fan", fan(25_000, 2)],
  ])("of 50,000 tasks in %s keeps every task and every edge between boxes", (_, drawn) => {
    const layout = laidOut(drawn);
    expect(layout.members.items.length).toBe(drawn.count);
    expect(layout.pointStart[layout.edges.length / 2]).toBe(layout.points.length / 2);
    expect(layout.x.every(Number.isFinite) && layout.y.every(Number.isFinite)).toBe(true);
  });
});

function expectApart({ boxes, x, y, w, h, edges, pointStart }: Layout): void {
  const order = Array.from({ length: boxes }, (_, box) => box).sort(
    (one, other) => at(x, one) - at(x, other),
  );
  for (const [place, one] of order.entries()) {
    for (let next = place + 1; next < boxes; next++) {
      const other = order[next] as number;
      if (at(x, other) >= at(x, one) + at(w, one)) break;
      const isApart =
        at(y, other) + 0.01 >= at(y, one) + at(h, one) || at(y, one) + 0.01 >= at(y, other) + at(h, other);
      if (!isApart) throw new Error(`boxes ${one} and ${other} overlap`);
    }
  }
  for (let edge = 0; edge < edges.length / 2; edge++) {
    const isInBand = at(pointStart, edge + 1) - at(pointStart, edge) !== 6;
    const [parent, child] = [at(edges, edge * 2), at(edges, edge * 2 + 1)];
    if (isInBand) expect(at(x, parent)).toBeLessThan(at(x, child));
  }
}

import { describe, expect, it } from "vitest";
import { contactsOf } from "../src/pages/fleet/contacts";
import { cellAt, cellsOf, inRow, measuresFor, moved, placeOf, widthOf } from "../src/pages/fleet/layout";
import { allTags, chosenOf, livenessOf, type PropletView } from "../src/pages/fleet/proplets";

function proplet(id: string, more: Partial<PropletView> = {}): PropletView {
  return { id, name: `name-${id}`, task_count: 0, alive: true, metadata: {}, slots: 8, ...more };
}

describe("how a proplet is", () => {
  it.each([
    ["alive", {}],
    ["cordoned", { cordoned: true }],
    ["draining", { cordoned: true, drain_by: "2026-01-31T12:00:00Z" }],
    ["lost", { alive: false, cordoned: true }],
  ] as const)("is %s", (word, fields) => expect(livenessOf(proplet("a", fields))).toBe(word));
});

it("chooses proplets by text, tag and how they are", () => {
  const all = [
    proplet("a", { metadata: { tags: ["gpu", "eu"], hostname: "Rack-7" } }),
    proplet("b", { alive: false, metadata: { tags: ["gpu"] } }),
    proplet("c"),
  ];
  const ids = (filters: Partial<Parameters<typeof chosenOf>[1]>): string =>
    chosenOf(all, { search: "", tag: "", liveness: "", ...filters })
      .map((one) => one.id)
      .join("");
  expect(ids({})).toBe("abc");
  expect(ids({ search: "rack" })).toBe("a");
  expect(ids({ tag: "gpu" })).toBe("ab");
  expect(ids({ tag: "gpu", liveness: "lost" })).toBe("b");
  expect(allTags(all)).toEqual(["eu", "gpu"]);
});

describe("the map", () => {
  const some = [proplet("a"), proplet("b", { slots: 3 }), proplet("c", { slots: 12 })];
  const measures = measuresFor(some);

  it("is smaller the more proplets there are", () => {
    const many = (count: number) => measuresFor(Array.from({ length: count }, () => proplet("x"))).name;
    expect([many(3), many(100), many(1_000)]).toEqual(["large", "medium", "small"]);
  });

  it("has a cell for each slot and each task beyond them, up to a bound", () => {
    const task = { task_id: "t", name: "t", state: 2, attempt: 1, started: 1 } as const;
    expect(cellsOf(proplet("a", { slots: 1, running: [task, task] }))).toBe(2);
    expect(cellsOf(proplet("a", { slots: 1_000 }))).toBe(64);
  });

  it("finds the cell at a place", () => {
    for (const cell of [0, 7, 8, 11]) {
      const { x, y } = placeOf(measures, cell);
      expect(cellAt(measures, 12, x + 1, y + 1)).toBe(cell);
    }
    expect(cellAt(measures, 12, 1, 1)).toBe(-1);
    const { x, y } = placeOf(measures, 11);
    expect(cellAt(measures, 11, x + 1, y + 1)).toBe(-1);
  });

  it("puts as many blocks in a row as there is room for, at least one", () => {
    expect(inRow(measures, 10)).toBe(1);
    expect(inRow(measures, 2 * widthOf(measures) + measures.between)).toBe(2);
  });

  it("is walked by arrow keys", () => {
    const go = (proplet: number, cell: number, key: string): string => {
      const next = moved({ proplet, cell }, key, some, measures, 2);
      return `${next.proplet}.${next.cell}`;
    };
    expect(go(0, 0, "ArrowRight")).toBe("0.1");
    expect(go(0, 7, "ArrowRight")).toBe("1.0");
    expect(go(1, 0, "ArrowLeft")).toBe("0.7");
    expect(go(0, 0, "ArrowLeft")).toBe("0.0");
    expect(go(0, 2, "ArrowDown")).toBe("2.2");
    expect(go(2, 2, "ArrowDown")).toBe("2.10");
    expect(go(2, 2, "ArrowUp")).toBe("0.2");
    expect(go(1, 1, "ArrowDown")).toBe("1.1");
    expect(go(0, 0, "End")).toBe("2.11");
  });
});

it("says the longest pause between two signs of life", () => {
  expect(contactsOf([30_000, 10_000, 11_000])).toEqual({
    places: [0, 0.05, 1],
    first: 10_000,
    last: 30_000,
    pauseMax: 19,
  });
  expect(contactsOf([])).toBeNull();
});

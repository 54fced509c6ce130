import { expect, it } from "vitest";
import type { Shapes } from "../src/api/client";
import { childrenOf } from "../src/pages/task/relatives";

it("finds the tasks that depend on one", () => {
  const graph = {
    tasks: { ids: ["a", "b", "c"], names: ["first", "second", "third"] },
    edges: [0, 1, 0, 2, 1, 2],
  } as Shapes["GraphView"];
  expect(childrenOf(graph, "a").map((one) => one.name)).toEqual(["second", "third"]);
  expect(childrenOf(graph, "c")).toEqual([]);
  expect(childrenOf(graph, "gone")).toEqual([]);
});

import { expect, it } from "vitest";
import { inWords, summary } from "../src/parts/series";

it("finds the last, the lowest and the highest value, and leaves out what was not measured", () => {
  expect(summary([null, 3, 1, Number.NaN, 7, 5, null])).toEqual({ now: 5, lowest: 1, highest: 7 });
  expect(summary([null])).toBeNull();
});

it("says a row of values", () => {
  const say = (value: number): string => `${value} %`;
  expect(inWords("CPU", [1, 80, 12], say)).toBe("CPU: now 12 %, lowest 1 %, highest 80 %");
  expect(inWords("CPU", [], say)).toBe("CPU: nothing measured");
});

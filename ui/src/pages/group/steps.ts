// Where the arrows go in a graph. Pure.

import type { Layout } from "./layout";
import { at, listed } from "./structure";

export type Step = "parent" | "child" | "before" | "after";

/** Give the box that an arrow leads to; the same one where there is none. */
export function stepFrom(layout: Layout, box: number, step: Step): number {
  const { y, h, parents, children } = layout;
  const middle = (one: number): number => at(y, one) + at(h, one) / 2;
  if (step === "parent" || step === "child") {
    const near = listed(step === "parent" ? parents : children, box);
    return nearest(near, box, (one) => Math.abs(middle(one) - middle(box)));
  }
  const sign = step === "before" ? -1 : 1;
  const column: number[] = [];
  for (let one = 0; one < layout.boxes; one++) {
    const isBeside = Math.abs(at(layout.x, one) - at(layout.x, box)) < at(layout.w, box) / 2;
    if (isBeside && (middle(one) - middle(box)) * sign > 0) column.push(one);
  }
  return nearest(column, box, (one) => Math.abs(middle(one) - middle(box)));
}

function nearest(boxes: Iterable<number>, otherwise: number, distance: (box: number) => number): number {
  let found = otherwise;
  let least = Number.POSITIVE_INFINITY;
  for (const box of boxes) {
    const far = distance(box);
    if (far < least) [found, least] = [box, far];
  }
  return found;
}

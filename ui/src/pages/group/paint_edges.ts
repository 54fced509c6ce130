// Draws the edges of a scene: all of a kind as one path, and over them those of the critical path and of what is
// selected.

import type { Rect } from "./camera";
import type { View } from "./paint";
import { at } from "./structure";

/** So many edges are drawn at once; more are a grey cloud that says nothing, and come when one goes nearer. */
export const EDGES_MAX = 3_000;
/** While the size changes, all is drawn with each frame: then only so many are drawn. */
export const EDGES_MOVING_MAX = 600;
/** More edges than these are straight lines, which is faster and looks the same in a crowd. */
const CURVES_MAX = 600;

/** Count the edges that may be seen in a part of the drawing; stops above what is drawn. */
export function countEdges({ scene }: Pick<View, "scene">, seen: Rect): number {
  let found = 0;
  const { extents } = scene;
  for (let edge = 0; edge < extents.length && found <= EDGES_MAX; edge += 4) {
    if (isSeen(extents, edge, seen)) found += 1;
  }
  return found;
}

function isSeen(extents: Float32Array, first: number, seen: Rect): boolean {
  return (
    at(extents, first) <= seen.right &&
    at(extents, first + 1) <= seen.bottom &&
    at(extents, first + 2) >= seen.left &&
    at(extents, first + 3) >= seen.top
  );
}

/** Draw the edges that may be seen in a part of the drawing. */
export function paintEdges(context: CanvasRenderingContext2D, view: View, seen: Rect): void {
  const { scene, marks, palette, camera } = view;
  const { extents, layout } = scene;
  if (view.edges <= view.edgesMax) {
    context.strokeStyle = palette["line-strong"];
    context.lineWidth = Math.max(0.7, Math.min(1.5, 1.5 * camera.zoom));
    context.beginPath();
    const isStraight = view.edges > CURVES_MAX;
    for (let edge = 0; edge < extents.length / 4; edge++) {
      if (isSeen(extents, edge * 4, seen)) trace(context, view, edge, isStraight);
    }
    context.stroke();
  }
  context.strokeStyle = palette.text;
  context.lineWidth = Math.max(1.2, Math.min(3, 3 * camera.zoom));
  context.beginPath();
  for (const edge of marks.criticalEdges) if (isSeen(extents, edge * 4, seen)) trace(context, view, edge);
  context.stroke();
  if (marks.box === null) return;
  context.strokeStyle = palette.accent;
  context.lineWidth = Math.max(1.5, Math.min(2.5, 2.5 * camera.zoom));
  context.beginPath();
  for (let edge = 0; edge < layout.edges.length / 2; edge++) {
    const isOwn = at(layout.edges, edge * 2) === marks.box || at(layout.edges, edge * 2 + 1) === marks.box;
    if (isOwn && isSeen(extents, edge * 4, seen)) trace(context, view, edge);
  }
  context.stroke();
}

/** Add the way of an edge to the path. */
function trace(
  context: CanvasRenderingContext2D,
  { scene, camera }: View,
  edge: number,
  isStraight = false,
): void {
  const { points, pointStart } = scene.layout;
  const { zoom, x: moveX, y: moveY } = camera;
  const begin = at(pointStart, edge) * 2;
  const end = at(pointStart, edge + 1) * 2;
  let x = at(points, begin) * zoom + moveX;
  let y = at(points, begin + 1) * zoom + moveY;
  context.moveTo(x, y);
  for (let next = begin + 2; next < end; next += 2) {
    const toX = at(points, next) * zoom + moveX;
    const toY = at(points, next + 1) * zoom + moveY;
    if (isStraight || Math.abs(toY - y) < 1 || Math.abs(toX - x) < 1) context.lineTo(toX, toY);
    else {
      const middle = (x + toX) / 2;
      context.bezierCurveTo(middle, y, middle, toY, toX, toY);
    }
    [x, y] = [toX, toY];
  }
}

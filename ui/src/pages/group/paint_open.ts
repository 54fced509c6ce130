// Draws a box that is open: a cell for each of its tasks.

import { count, visible } from "../../words";
import type { Rect } from "./camera";
import { CELL, CELL_PITCH, OPEN_EDGE, OPEN_HEAD } from "./layout";
import { card, type Marks, PALE, ring, type View } from "./paint";
import { paintText } from "./paint_text";
import { drawSign } from "./palette";
import { at } from "./structure";

type Context = CanvasRenderingContext2D;

export function paintOpen(context: Context, view: View, box: number, seen: Rect): void {
  const { scene, camera, palette } = view;
  const { layout } = scene;
  const zoom = camera.zoom;
  const [left, top] = [at(layout.x, box) * zoom + camera.x, at(layout.y, box) * zoom + camera.y];
  const [width, height] = [at(layout.w, box) * zoom, at(layout.h, box) * zoom];
  card(context, palette, left, top, width, height);
  if (OPEN_HEAD * zoom >= 14) {
    const title = `${visible(scene.titleOf(box))} · ${count(scene.sizeOf(box))} tasks`;
    context.fillStyle = palette.text;
    paintText(context, palette, title, left + 28 * zoom, top + 22 * zoom, 13 * zoom, width - 40 * zoom, 550);
    context.fillRect(left + 12 * zoom, top + 16.5 * zoom, 9 * zoom, 1.6 * zoom);
  }
  paintCells(context, view, box, seen);
}

/** Draw the cells of an open box; where they are tiny, equal ones side by side are one stroke. */
function paintCells(context: Context, view: View, box: number, seen: Rect): void {
  const { scene, camera, marks, palette } = view;
  const { layout, model } = scene;
  const { start, items } = layout.members;
  const zoom = camera.zoom;
  const columns = at(layout.columns, box);
  const [boxX, boxY] = [at(layout.x, box) + OPEN_EDGE, at(layout.y, box) + OPEN_HEAD];
  const size = scene.sizeOf(box);
  const rows = Math.ceil(size / columns);
  const within = (value: number, most: number): number => Math.max(0, Math.min(most, value));
  const rowBegin = within(Math.floor((seen.top - boxY) / CELL_PITCH), rows);
  const rowEnd = within(Math.ceil((seen.bottom - boxY) / CELL_PITCH), rows);
  const columnBegin = within(Math.floor((seen.left - boxX) / CELL_PITCH), columns);
  const columnEnd = within(Math.ceil((seen.right - boxX) / CELL_PITCH), columns);
  const cell = CELL * zoom;
  const isTiny = CELL_PITCH * zoom < 4;
  const hasSigns = cell >= 11;
  for (let row = rowBegin; row < rowEnd; row++) {
    const end = Math.min(columnEnd, size - row * columns);
    const y = (boxY + row * CELL_PITCH) * zoom + camera.y;
    for (let column = columnBegin; column < end; ) {
      const task = at(items, at(start, box) + row * columns + column);
      const look = lookOf(marks, model.states, task);
      let run = 1;
      if (isTiny) {
        while (
          column + run < end &&
          lookOf(marks, model.states, at(items, at(start, box) + row * columns + column + run)) === look
        ) {
          run += 1;
        }
      }
      const state = at(model.states, task);
      const x = (boxX + column * CELL_PITCH) * zoom + camera.x;
      const colour = palette.states[state] as string;
      if (look & PALE_LOOK) context.globalAlpha = PALE;
      if (hasSigns) drawSign(context, state, x, y, cell, colour);
      else {
        context.fillStyle = colour;
        if (isTiny) {
          // On whole pixels, so that no stripes come of what lies between them.
          const [left, top] = [Math.floor(x), Math.floor(y)];
          const right = Math.ceil(x + run * CELL_PITCH * zoom);
          context.fillRect(left, top, right - left, Math.ceil(y + CELL_PITCH * zoom) - top);
        } else context.fillRect(x, y, cell, cell);
      }
      if (look & PALE_LOOK) context.globalAlpha = 1;
      if (look & HIT_LOOK) ring(context, x, y, Math.max(2, cell), Math.max(2, cell), palette["warn-line"], 2);
      column += run;
    }
  }
}

const PALE_LOOK = 8;
const HIT_LOOK = 16;

/** Sum up in a number how a cell looks. */
function lookOf(marks: Marks, states: Uint8Array, task: number): number {
  return (
    at(states, task) |
    (marks.asked && !marks.asked[task] ? PALE_LOOK : 0) |
    (marks.hits?.[task] ? HIT_LOOK : 0)
  );
}

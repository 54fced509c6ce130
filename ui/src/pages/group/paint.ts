// Draws the part of a scene that lies in a rectangle of the screen. The farther away, the less of each box is drawn.

import { FAILED, hasEnded, RUNNING, STATES } from "../../states";
import { count, duration, visible } from "../../words";
import { type Camera, type Rect, under } from "./camera";
import { BOX_HEIGHT } from "./layout";
import { paintEdges } from "./paint_edges";
import { paintOpen } from "./paint_open";
import { paintText } from "./paint_text";
import { drawSign, type Palette } from "./palette";
import type { Scene } from "./scene";
import { paintSpots } from "./spots";
import { at } from "./structure";

export type Marks = {
  /** The task that is selected, and the box, which may be one of many tasks. */
  task: number | null;
  box: number | null;
  /** 1 for tasks that the search found. */
  hits: Uint8Array | null;
  /** 1 for tasks of the states that are asked for; others are pale. */
  asked: Uint8Array | null;
  /** 1 for tasks of the critical path. */
  critical: Uint8Array;
  /** Numbers of the edges between them. */
  criticalEdges: readonly number[];
};

export type View = {
  scene: Scene;
  camera: Camera;
  marks: Marks;
  palette: Palette;
  now: number;
  /** How many edges are on the screen, and up to how many they are drawn. */
  edges: number;
  edgesMax: number;
};

/** Boxes of this height on the screen have texts; lower ones are filled; still lower ones are a spot of colour. */
const TEXT_PX_MIN = 20;
const SPOT_PX_MAX = 9;
/** How strong is what was not asked for. */
export const PALE = 0.25;
/** What is drawn around a box reaches that far out of it, px. */
export const RING_PX = 9;

type Context = CanvasRenderingContext2D;

/** Draw what lies in a part of the screen; `context` draws in px of the screen. */
export function paint(context: Context, view: View, part: Rect): void {
  const { scene, camera, palette } = view;
  context.fillStyle = palette.back;
  context.fillRect(part.left, part.top, part.right - part.left, part.bottom - part.top);
  const seen = under(camera, {
    left: part.left - RING_PX,
    top: part.top - RING_PX,
    right: part.right + RING_PX,
    bottom: part.bottom + RING_PX,
  });
  paintEdges(context, view, seen);
  const isFar = BOX_HEIGHT * camera.zoom < SPOT_PX_MAX;
  if (isFar) paintSpots(context, view, part, seen);
  const { x, y, w, h, boxes } = scene.layout;
  for (let box = 0; box < boxes; box++) {
    const [left, top] = [at(x, box), at(y, box)];
    if (isFar && !scene.isOpen(box)) continue;
    if (
      left > seen.right ||
      top > seen.bottom ||
      left + at(w, box) < seen.left ||
      top + at(h, box) < seen.top
    ) {
      continue;
    }
    paintBox(context, view, box, seen);
  }
  paintSelected(context, view);
}

function paintBox(context: Context, view: View, box: number, seen: Rect): void {
  const { scene, camera, marks, palette } = view;
  const { layout } = scene;
  const [left, top] = [
    at(layout.x, box) * camera.zoom + camera.x,
    at(layout.y, box) * camera.zoom + camera.y,
  ];
  const [width, height] = [at(layout.w, box) * camera.zoom, at(layout.h, box) * camera.zoom];
  const isOne = scene.sizeOf(box) === 1;
  const task = scene.firstOf(box);
  const isPale = marks.asked !== null && !scene.hasMarked(box, marks.asked);
  if (isPale) context.globalAlpha = PALE;
  if (scene.isOpen(box)) paintOpen(context, view, box, seen);
  else if (isOne) paintTask(context, view, task, left, top);
  else paintFolded(context, view, box, left, top);
  if (isPale) context.globalAlpha = 1;
  if (marks.hits !== null && scene.hasMarked(box, marks.hits) && !scene.isOpen(box)) {
    ring(context, left, top, width, height, palette["warn-line"], Math.max(2, 4 * camera.zoom));
  }
}

export function card(
  context: Context,
  palette: Palette,
  left: number,
  top: number,
  width: number,
  height: number,
): void {
  context.fillStyle = palette.card;
  context.strokeStyle = palette["line-strong"];
  context.lineWidth = 1;
  context.beginPath();
  context.roundRect(left + 0.5, top + 0.5, width - 1, height - 1, Math.min(7, height / 5));
  context.fill();
  context.stroke();
}

function paintTask(context: Context, view: View, task: number, left: number, top: number): void {
  const { scene, camera, palette, marks } = view;
  const { layout, model } = scene;
  const zoom = camera.zoom;
  const box = at(layout.boxOf, task);
  const [width, height] = [at(layout.w, box) * zoom, at(layout.h, box) * zoom];
  const state = at(model.states, task);
  const colour = palette.states[state] as string;
  context.fillStyle = colour;
  if (height < TEXT_PX_MIN) {
    context.fillRect(left, top, width, height);
    const size = Math.min(12, height - 2);
    if (size >= 7) drawSign(context, state, left + 4, top + (height - size) / 2, size, palette.card);
    return;
  }
  card(context, palette, left, top, width, height);
  context.fillStyle = colour;
  context.fillRect(left + 1, top + 5 * zoom, 3.5 * zoom, height - 10 * zoom);
  drawSign(context, state, left + 12 * zoom, top + height / 2 - 8 * zoom, 16 * zoom, colour);
  const id = visible(model.structure.ids[task] as string);
  const indent = left + 36 * zoom;
  const room = width - 44 * zoom;
  context.fillStyle = palette.text;
  paintText(context, palette, id, indent, top + 18 * zoom, 13 * zoom, room, 550);
  context.fillStyle = palette["text-quiet"];
  paintText(context, palette, underTitle(view, task), indent, top + 34 * zoom, 11.5 * zoom, room, 400);
  if (marks.critical[task]) {
    context.fillStyle = palette.text;
    context.fillRect(left + 8 * zoom, top + height - 3 * zoom, width - 16 * zoom, 2 * zoom);
  }
}

/** Say in a few words how a task is: what it does or how long it took. */
function underTitle({ scene, now }: View, task: number): string {
  const { model } = scene;
  const state = at(model.states, task);
  const took = model.took(task, now);
  const word = STATES[state] as string;
  const attempt = at(model.attempts, task);
  const parts: string[] = [word];
  if (took > 0 && (state === RUNNING || hasEnded(state))) {
    const seconds = state === RUNNING && took >= 1000 ? Math.floor(took / 1000) : took / 1000;
    parts.push(duration(seconds));
  }
  if (attempt > 1) parts.push(`attempt ${attempt}`);
  return parts.join(" · ");
}

function paintFolded(context: Context, view: View, box: number, left: number, top: number): void {
  const { scene, camera, palette } = view;
  const zoom = camera.zoom;
  const [width, height] = [at(scene.layout.w, box) * zoom, at(scene.layout.h, box) * zoom];
  const size = scene.sizeOf(box);
  card(context, palette, left + 4 * zoom, top + 4 * zoom, width, height);
  card(context, palette, left, top, width, height);
  if (height < TEXT_PX_MIN) {
    bar(context, view, box, left, top, width, Math.max(1, height));
    return;
  }
  const edge = 12 * zoom;
  const amount = `${count(size)} tasks`;
  context.fillStyle = palette.text;
  paintText(
    context,
    palette,
    visible(scene.titleOf(box)),
    left + edge,
    top + 19 * zoom,
    13 * zoom,
    width - 2 * edge,
    550,
  );
  context.fillStyle = palette["text-quiet"];
  const failed = at(scene.counts, box * STATES.length + FAILED);
  const words = failed ? `${amount} · ${count(failed)} failed` : amount;
  paintText(context, palette, words, left + edge, top + 36 * zoom, 11.5 * zoom, width - 2 * edge, 400);
  bar(context, view, box, left + edge, top + height - 15 * zoom, width - 2 * edge, 7 * zoom);
}

/** In this order a bar is filled. */
const BAR_ORDER = [3, 4, 6, 5, 2, 1, 0];

function bar(
  context: Context,
  { scene, palette }: View,
  box: number,
  left: number,
  top: number,
  width: number,
  height: number,
): void {
  const total = scene.sizeOf(box);
  let from = left;
  context.fillStyle = palette.line;
  context.fillRect(left, top, width, height);
  for (const state of BAR_ORDER) {
    const part = at(scene.counts, box * STATES.length + state);
    if (part === 0) continue;
    const length = Math.max(Math.min(2, width / 4), (part / total) * width);
    context.fillStyle = palette.states[state] as string;
    context.fillRect(from, top, Math.min(length, left + width - from), height);
    from += length;
  }
}

function paintSelected(context: Context, { scene, camera, marks, palette }: View): void {
  if (marks.box === null) return;
  const rects = [scene.rectOf(marks.box)];
  if (marks.task !== null) rects.push(scene.rectOfTask(marks.task));
  const { left, top, right, bottom } = rects[rects.length - 1] as Rect;
  const zoom = camera.zoom;
  const width = Math.max(6, (right - left) * zoom);
  const height = Math.max(6, (bottom - top) * zoom);
  ring(context, left * zoom + camera.x, top * zoom + camera.y, width, height, palette.accent, 3);
}

export function ring(
  context: Context,
  left: number,
  top: number,
  width: number,
  height: number,
  colour: string,
  thickness: number,
): void {
  context.strokeStyle = colour;
  context.lineWidth = thickness;
  context.beginPath();
  const out = thickness / 2 + 1;
  context.roundRect(left - out, top - out, width + 2 * out, height + 2 * out, Math.min(9, height / 4 + 2));
  context.stroke();
}

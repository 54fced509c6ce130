// Draws the rows of a timeline that are in sight.

import { FAILED, hasEnded, RUNNING } from "../../states";
import { count, duration, visible } from "../../words";
import type { GroupModel } from "./model";
import { paintText, textWidth } from "./paint_text";
import { drawSign, type Palette } from "./palette";
import { at } from "./structure";
import { type Span, ticksOf, tickText, zoneOffset } from "./timeline_axis";
import { type Bar, barsOf, type Rows } from "./timeline_rows";

export const ROW_PX = 24;
export const AXIS_PX = 28;
const TICK_GAP_PX = 110;
const WORDS_PX_MAX = 260;
const BAR_PX = 12;
const SIGN_PX = 10;

export type TimelineView = {
  model: GroupModel;
  rows: Rows;
  span: Span;
  /** How far the rows are scrolled, px. */
  top: number;
  width: number;
  height: number;
  /** Of the column with the names, px. */
  labelPx: number;
  selected: number | null;
  critical: Uint8Array;
  palette: Palette;
  now: number;
  propletName: (proplet: number) => string;
};

type Context = CanvasRenderingContext2D;

export function paintTimeline(context: Context, view: TimelineView): void {
  const { palette, width, height, top, rows, labelPx } = view;
  context.fillStyle = palette.back;
  context.fillRect(0, 0, width, height);
  const first = Math.max(0, Math.floor(top / ROW_PX));
  const last = Math.min(rows.tasks.length, Math.ceil((top + height - AXIS_PX) / ROW_PX));
  for (let row = first; row < last; row++) {
    const y = AXIS_PX + row * ROW_PX - top;
    const task = at(rows.tasks, row);
    if (task >= 0 && task === view.selected) {
      context.fillStyle = palette["accent-back"];
      context.fillRect(0, y, width, ROW_PX);
    }
  }
  const lines = paintLines(context, view);
  for (let row = first; row < last; row++) {
    const y = AXIS_PX + row * ROW_PX - top;
    const task = at(rows.tasks, row);
    if (task < 0) paintHeading(context, view, rows.headings.get(row) ?? -1, y);
    else paintRow(context, view, task, y);
  }
  context.fillStyle = palette.card;
  context.fillRect(0, 0, width, AXIS_PX);
  context.fillStyle = palette.line;
  context.fillRect(0, AXIS_PX - 1, width, 1);
  context.fillRect(labelPx, 0, 1, height);
  for (const { x, text } of lines) {
    context.fillStyle = palette["text-quiet"];
    paintText(context, palette, text, x + 4, 18, 11.5, TICK_GAP_PX, 400);
  }
  paintNow(context, view);
}

function xOf({ span, width, labelPx }: TimelineView, time: number): number {
  return labelPx + ((time - span.from) / (span.to - span.from)) * (width - labelPx);
}

function paintLines(context: Context, view: TimelineView): { x: number; text: string }[] {
  const { span, width, height, labelPx, palette } = view;
  const ticks = ticksOf(span, width - labelPx, TICK_GAP_PX, zoneOffset);
  const step = ticks.length > 1 ? (ticks[1] as number) - (ticks[0] as number) : span.to - span.from;
  context.fillStyle = palette.line;
  return ticks.map((time) => {
    const x = Math.round(xOf(view, time));
    context.fillRect(x, 0, 1, height);
    return { x, text: tickText(time, step) };
  });
}

function paintHeading(context: Context, view: TimelineView, proplet: number, y: number): void {
  const { palette, width } = view;
  context.fillStyle = palette.raised;
  context.fillRect(0, y, width, ROW_PX);
  context.fillStyle = palette.text;
  const name = proplet < 0 ? "On no proplet" : view.propletName(proplet);
  paintText(context, palette, visible(name), 12, y + 16, 12.5, width - 24, 600);
}

function paintRow(context: Context, view: TimelineView, task: number, y: number): void {
  const { model, palette, labelPx, width, now } = view;
  const state = at(model.states, task);
  drawSign(context, state, 10, y + 6, 12, palette.states[state] as string);
  context.fillStyle = palette.text;
  const id = visible(model.structure.ids[task] as string);
  paintText(context, palette, id, 28, y + 16, 12.5, labelPx - 36, 400);
  context.save();
  context.beginPath();
  context.rect(labelPx + 1, y, width - labelPx, ROW_PX);
  context.clip();
  const bars = barsOf(model, task, now);
  for (const bar of bars) paintBar(context, view, bar, y);
  const last = bars[bars.length - 1];
  if (last !== undefined) {
    if (view.critical[task]) {
      const from = xOf(view, last.from);
      context.fillStyle = palette.text;
      context.fillRect(from, y + ROW_PX - 4, Math.max(4, xOf(view, last.to) - from), 2);
    }
    context.fillStyle = palette["text-quiet"];
    const words = wordsOf(view, task, last);
    const wide = Math.min(textWidth(context, palette, words, 11.5, 400), WORDS_PX_MAX);
    // Behind the last bar, or before the first one where there is no room behind it.
    const behind = xOf(view, last.to) + 8;
    const before = xOf(view, (bars[0] ?? last).from) - 8 - wide;
    const x = behind + wide > width && before > labelPx ? before : behind;
    paintText(context, palette, words, x, y + 16, 11.5, WORDS_PX_MAX, 400);
  }
  context.restore();
}

/** Say what stands behind the last bar: how long it took, which attempt, on which proplet. */
function wordsOf(
  { model, now, propletName }: TimelineView,
  task: number,
  { kind, to, from, proplet }: Bar,
): string {
  if (kind === "queued") return "waits for a proplet";
  const state = at(model.states, task);
  const parts: string[] = [];
  if (to > from || state === RUNNING) {
    const took = (Math.min(to, now) - from) / 1000;
    parts.push(duration(state === RUNNING && took >= 1 ? Math.floor(took) : took));
  }
  const attempt = at(model.attempts, task);
  if (attempt > 1) parts.push(`attempt ${count(attempt)}`);
  if (proplet >= 0) parts.push(visible(propletName(proplet)));
  return parts.join(" · ");
}

function paintBar(context: Context, view: TimelineView, bar: Bar, y: number): void {
  const { palette, labelPx, width } = view;
  const from = Math.max(labelPx - 8, xOf(view, bar.from));
  const to = Math.min(width + 8, xOf(view, bar.to));
  if (to < labelPx - 8 || from > width + 8) return;
  const length = Math.max(2, to - from);
  if (bar.kind === "queued") {
    context.fillStyle = palette["line-strong"];
    context.fillRect(from, y + ROW_PX / 2 - 1, length, 2);
    return;
  }
  const thick = BAR_PX / bar.lanes;
  const top = y + (ROW_PX - BAR_PX) / 2 + bar.lane * thick;
  const colour = palette.states[bar.state];
  if (colour === undefined) {
    // The manager has not said how it ended.
    context.strokeStyle = palette["line-strong"];
    context.lineWidth = 1;
    context.strokeRect(from + 0.5, top + 0.5, length - 1, thick - 1);
    return;
  }
  context.fillStyle = colour;
  context.beginPath();
  context.roundRect(from, top, length, Math.max(1, thick), bar.lanes === 1 ? Math.min(3, length / 2) : 0);
  context.fill();
  const hasSign = bar.lanes === 1 && length >= SIGN_PX + 6 && (hasEnded(bar.state) || bar.state === FAILED);
  if (hasSign) drawSign(context, bar.state, from + 3, top + 1, SIGN_PX, palette.card);
}

/** Draw where now is, while something is under way. */
function paintNow(context: Context, view: TimelineView): void {
  const { model, now, palette, height, labelPx } = view;
  if (!model.isUnderWay) return;
  const x = xOf(view, now);
  if (x < labelPx) return;
  context.fillStyle = palette.accent;
  context.fillRect(x, AXIS_PX - 6, 1.5, height);
  paintText(context, palette, "now", x + 4, AXIS_PX - 10, 11, 40, 600);
}

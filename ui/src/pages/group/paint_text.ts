// Writes texts on a canvas in one line, cut where they have no room.

import type { Palette } from "./palette";

const widths = new Map<string, number>();
const WIDTHS_MAX = 5_000;
const LENGTH_MAX = 200;

/** Give how wide a text is in one line; only its first characters count where it is very long. */
export function textWidth(
  context: CanvasRenderingContext2D,
  palette: Palette,
  words: string,
  size: number,
  weight: number,
): number {
  const line = words.slice(0, LENGTH_MAX);
  context.font = `${weight} ${size}px ${palette.sans}`;
  const key = `${weight} ${line}`;
  let ratio = widths.get(key);
  if (ratio === undefined) {
    if (widths.size > WIDTHS_MAX) widths.clear();
    ratio = context.measureText(line).width / size;
    widths.set(key, ratio);
  }
  return ratio * size;
}

export function paintText(
  context: CanvasRenderingContext2D,
  palette: Palette,
  words: string,
  x: number,
  y: number,
  size: number,
  room: number,
  weight: number,
): void {
  const line = words.slice(0, LENGTH_MAX);
  const width = textWidth(context, palette, line, size, weight);
  const fits = width <= room ? line.length : Math.max(1, Math.floor((room / width) * line.length) - 1);
  context.fillText(fits < line.length ? `${line.slice(0, fits)}…` : line, x, y);
}

// Draws boxes that are seen from far away as spots of colour, pixel by pixel: tens of thousands in some milliseconds.

import type { Rect } from "./camera";
import type { View } from "./paint";
import { at } from "./structure";

const PALE_ALPHA = 64;

let sheet: HTMLCanvasElement | undefined;

/** Draw all boxes of a part of the screen that are not open. */
export function paintSpots(context: CanvasRenderingContext2D, view: View, part: Rect, seen: Rect): void {
  const { scene, camera, marks, palette } = view;
  const width = Math.ceil(part.right - part.left);
  const height = Math.ceil(part.bottom - part.top);
  const image = new ImageData(width, height);
  const pixels = new Uint32Array(image.data.buffer);
  const colours = palette.states.map((colour) => pixelOf(colour, 255));
  const pale = palette.states.map((colour) => pixelOf(colour, PALE_ALPHA));
  const hit = pixelOf(palette["warn-line"], 255);
  const fill = (left: number, top: number, right: number, bottom: number, colour: number): void => {
    const [x0, x1] = [Math.max(0, left), Math.min(width, right)];
    const [y0, y1] = [Math.max(0, top), Math.min(height, bottom)];
    for (let row = y0; row < y1; row++)
      pixels.fill(colour, row * width + x0, Math.max(row * width + x0, row * width + x1));
  };
  const { x, y, w, h, boxes } = scene.layout;
  for (let box = 0; box < boxes; box++) {
    const boxX = at(x, box);
    const boxY = at(y, box);
    if (
      boxX > seen.right ||
      boxY > seen.bottom ||
      boxX + at(w, box) < seen.left ||
      boxY + at(h, box) < seen.top
    ) {
      continue;
    }
    if (scene.isOpen(box)) continue;
    const left = Math.round(boxX * camera.zoom + camera.x - part.left);
    const top = Math.round(boxY * camera.zoom + camera.y - part.top);
    const right = left + Math.max(1, Math.round(at(w, box) * camera.zoom));
    const bottom = top + Math.max(1, Math.round(at(h, box) * camera.zoom));
    if (marks.hits !== null && scene.hasMarked(box, marks.hits))
      fill(left - 2, top - 2, right + 2, bottom + 2, hit);
    const isPale = marks.asked !== null && !scene.hasMarked(box, marks.asked);
    fill(left, top, right, bottom, at(isPale ? pale : colours, scene.urgentIn(box)));
  }
  sheet ??= document.createElement("canvas");
  if (sheet.width < width) sheet.width = width;
  if (sheet.height < height) sheet.height = height;
  sheet.getContext("2d")?.putImageData(image, 0, 0);
  context.imageSmoothingEnabled = false;
  context.drawImage(sheet, 0, 0, width, height, part.left, part.top, width, height);
}

/** Give a colour such as `rgb(1, 2, 3)` as a pixel of an image has it. */
function pixelOf(colour: string, alpha: number): number {
  const [red = 0, green = 0, blue = 0] = (colour.match(/[\d.]+/g) ?? []).map(Number);
  return ((alpha << 24) | (blue << 16) | (green << 8) | red) >>> 0;
}

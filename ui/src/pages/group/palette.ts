// Colours of the theme as canvases need them, and the signs of states as paths. Follows the colour scheme.

import { colourAt } from "../../parts/colours";
import { colourOf, OUTLINED, SHAPES, STATES } from "../../states";

const NAMES = [
  "back",
  "card",
  "raised",
  "line",
  "line-strong",
  "text",
  "text-quiet",
  "accent",
  "accent-back",
  "warn-line",
] as const;
type Name = (typeof NAMES)[number];

export type Palette = Record<Name, string> & {
  /** By the number of the state. */
  states: readonly string[];
  sans: string;
};

/** The sign of each state by its number, in a square of 16; filled, unless it is outlined. */
const SIGNS: readonly { path: Path2D; isOutlined: boolean }[] = STATES.map((state) => ({
  path: new Path2D(SHAPES[state]),
  isOutlined: OUTLINED.has(state),
}));

const dark = matchMedia("(prefers-color-scheme: dark)");
let read: Palette | undefined;
dark.addEventListener("change", () => {
  read = undefined;
});

/** Give the colours that hold now. */
export function currentPalette(): Palette {
  read ??= readPalette();
  return read;
}

function readPalette(): Palette {
  const found = Object.fromEntries(NAMES.map((name) => [name, colourAt(document.body, `--${name}`)]));
  const states = STATES.map((state) => colourAt(document.body, colourOf(state)));
  return { ...(found as Record<Name, string>), states, sans: getComputedStyle(document.body).fontFamily };
}

/** Be told when the scheme has changed from light to dark or back. */
export function onScheme(listener: () => void): () => void {
  dark.addEventListener("change", listener);
  return () => dark.removeEventListener("change", listener);
}

const sprites = new Map<string, HTMLCanvasElement>();
const SPRITES_MAX = 400;

/** Draw the sign of a state; `x`, `y` is its corner. It is painted once for each size, and copied from then on. */
export function drawSign(
  context: CanvasRenderingContext2D,
  state: number,
  x: number,
  y: number,
  size: number,
  colour: string,
): void {
  const pixels = Math.max(1, Math.round(size * (window.devicePixelRatio || 1)));
  const key = `${state} ${pixels} ${colour}`;
  let sprite = sprites.get(key);
  if (sprite === undefined) {
    if (sprites.size > SPRITES_MAX) sprites.clear();
    sprite = spriteOf(state, pixels, colour);
    sprites.set(key, sprite);
  }
  context.drawImage(sprite, x, y, size, size);
}

function spriteOf(state: number, pixels: number, colour: string): HTMLCanvasElement {
  const sprite = document.createElement("canvas");
  sprite.width = sprite.height = pixels;
  const context = sprite.getContext("2d");
  const sign = SIGNS[state];
  if (context === null || sign === undefined) return sprite;
  context.scale(pixels / 16, pixels / 16);
  if (sign.isOutlined) {
    context.lineWidth = 2;
    context.lineCap = "round";
    context.lineJoin = "round";
    context.strokeStyle = colour;
    context.stroke(sign.path);
  } else {
    context.fillStyle = colour;
    context.fill(sign.path);
  }
  return sprite;
}

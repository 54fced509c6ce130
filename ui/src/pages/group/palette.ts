// Colours of the theme as canvases need them, and the signs of states as paths. Follows the colour scheme.

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
  "warn-line",
] as const;
type Name = (typeof NAMES)[number];

export type Palette = Record<Name, string> & {
  /** By the number of the state. */
  states: readonly string[];
  sans: string;
};

/** The sign of each state by its number, in a square of 16; filled, unless it is outlined. */
export const SIGNS: readonly { path: Path2D; isOutlined: boolean }[] = STATES.map((state) => ({
  path: new Path2D(SHAPES[state]),
  isOutlined: OUTLINED.has(state),
}));

/** Read the colours that hold now. */
export function readPalette(): Palette {
  const probe = document.createElement("span");
  document.body.append(probe);
  const colour = (name: string): string => {
    probe.style.color = `var(${name})`;
    return getComputedStyle(probe).color;
  };
  const found = Object.fromEntries(NAMES.map((name) => [name, colour(`--${name}`)])) as Record<Name, string>;
  const states = STATES.map((state) => colour(colourOf(state)));
  const sans = getComputedStyle(document.body).fontFamily;
  probe.remove();
  return { ...found, states, sans };
}

/** Be told when the scheme changes from light to dark or back. */
export function onScheme(listener: () => void): () => void {
  const query = matchMedia("(prefers-color-scheme: dark)");
  query.addEventListener("change", listener);
  return () => query.removeEventListener("change", listener);
}

/** Draw the sign of a state; `x`, `y` is its corner. */
export function drawSign(
  context: CanvasRenderingContext2D,
  state: number,
  x: number,
  y: number,
  size: number,
  colour: string,
): void {
  const sign = SIGNS[state];
  if (sign === undefined) return;
  context.save();
  context.translate(x, y);
  context.scale(size / 16, size / 16);
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
  context.restore();
}

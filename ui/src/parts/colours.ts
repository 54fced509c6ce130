// Colours of the theme for what is drawn on a canvas, which knows no variables.

import { useSyncExternalStore } from "react";

const dark = matchMedia("(prefers-color-scheme: dark)");

function subscribe(listener: () => void): () => void {
  dark.addEventListener("change", listener);
  return () => dark.removeEventListener("change", listener);
}

/** Say whether the page is dark; whoever draws on a canvas draws again when this changes. */
export function useIsDark(): boolean {
  return useSyncExternalStore(subscribe, () => dark.matches);
}

/** Give the colour that a variable of the theme has now at an element, such as `rgb(1, 2, 3)`. */
export function colourAt(element: HTMLElement, variable: string): string {
  const before = element.style.color;
  element.style.color = `var(${variable})`;
  const colour = getComputedStyle(element).color;
  element.style.color = before;
  return colour;
}

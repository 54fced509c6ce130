// Parts of the page that are loaded when they are first shown. By then the manager may be away, or may have been replaced
// by another version, which has files of other names. A browser and its preloads keep what failed, so a part is not asked
// for twice: when the manager answers, the page is loaded anew, at the address that it is at.

import { type ComponentType, lazy } from "react";
import { apiRoot } from "../api/client";

const PAUSE_MS = 1_000;
/** A page that was loaded anew so shortly before does not get better by it. */
const ANEW_MS_MIN = 10_000;
const ANEW_AT = "loaded-anew-at";

/** Make a component of a file that is loaded when it is first drawn; draw it below `Suspense` and a `FaultBoundary`. */
export function later<Props>(load: () => Promise<{ default: ComponentType<Props> }>) {
  return lazy(() => load().catch(loadAnew));
}

/**
 * Wait until the manager answers, and load the page anew.
 *
 * @throws Error where that was done just before
 */
export async function loadAnew(): Promise<never> {
  while (!(await isManagerThere())) await new Promise((done) => setTimeout(done, PAUSE_MS));
  const before = Number(sessionStorage.getItem(ANEW_AT) ?? 0);
  if (Date.now() - before < ANEW_MS_MIN) {
    throw new Error("A part of the page could not be loaded, though the manager answers.");
  }
  sessionStorage.setItem(ANEW_AT, String(Date.now()));
  location.reload();
  return new Promise(() => undefined);
}

async function isManagerThere(): Promise<boolean> {
  try {
    return (await fetch(`${apiRoot}/health`, { cache: "no-store" })).ok;
  } catch {
    return false;
  }
}

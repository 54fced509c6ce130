// What people do on a canvas by mouse, pen and fingers: drag, wheel, pinch, click, point at.

import { type RefObject, useEffect, useRef } from "react";

export type Gestures = {
  onPan: (dx: number, dy: number) => void;
  onZoom: (factor: number, point: { x: number; y: number }) => void;
  onClick: (x: number, y: number) => void;
  /** Gives what to say of what lies there, or null for nothing. */
  onPoint: (x: number, y: number) => string | null;
};

/** A pointer that moved less than that has clicked, px. */
const CLICK_PX_MAX = 4;
const WHEEL_LINE_PX = 16;

/** Listen on an element while the caller is on the page. */
export function useGestures(target: RefObject<HTMLElement | null>, gestures: Gestures): void {
  const current = useRef(gestures);
  useEffect(() => {
    current.current = gestures;
  });
  useEffect(() => {
    const element = target.current;
    if (element === null) return;
    return listen(element, () => current.current);
  }, [target]);
}

function listen(element: HTMLElement, gestures: () => Gestures): () => void {
  const pointers = new Map<number, { x: number; y: number }>();
  let moved = 0;
  const within = (event: { clientX: number; clientY: number }): { x: number; y: number } => {
    const { left, top } = element.getBoundingClientRect();
    return { x: event.clientX - left, y: event.clientY - top };
  };
  const span = (): { length: number; x: number; y: number } => {
    const [one, other] = [...pointers.values()];
    if (one === undefined || other === undefined) return { length: 0, x: 0, y: 0 };
    return {
      length: Math.hypot(one.x - other.x, one.y - other.y),
      x: (one.x + other.x) / 2,
      y: (one.y + other.y) / 2,
    };
  };
  const onDown = (event: PointerEvent): void => {
    if (event.button !== 0) return;
    element.setPointerCapture(event.pointerId);
    pointers.set(event.pointerId, within(event));
    moved = pointers.size > 1 ? CLICK_PX_MAX : 0;
  };
  const onMove = (event: PointerEvent): void => {
    const here = within(event);
    const before = pointers.get(event.pointerId);
    if (before === undefined) {
      const words = gestures().onPoint(here.x, here.y);
      element.title = words ?? "";
      element.style.cursor = words === null ? "" : "pointer";
      return;
    }
    const spanBefore = span();
    pointers.set(event.pointerId, here);
    moved += Math.abs(here.x - before.x) + Math.abs(here.y - before.y);
    if (moved < CLICK_PX_MAX) return;
    if (pointers.size === 1) gestures().onPan(here.x - before.x, here.y - before.y);
    else {
      const after = span();
      gestures().onPan(after.x - spanBefore.x, after.y - spanBefore.y);
      if (spanBefore.length > 0) gestures().onZoom(after.length / spanBefore.length, after);
    }
  };
  const onUp = (event: PointerEvent): void => {
    const here = pointers.get(event.pointerId);
    pointers.delete(event.pointerId);
    if (here !== undefined && event.type === "pointerup" && moved < CLICK_PX_MAX) {
      gestures().onClick(here.x, here.y);
    }
  };
  const onWheel = (event: WheelEvent): void => {
    event.preventDefault();
    const scale = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? WHEEL_LINE_PX : 1;
    const [dx, dy] = [event.deltaX * scale, event.deltaY * scale];
    if (event.ctrlKey || event.metaKey) gestures().onZoom(Math.exp(-dy / 300), within(event));
    else if (event.shiftKey && dx === 0) gestures().onPan(-dy, 0);
    else gestures().onPan(-dx, -dy);
  };
  element.addEventListener("pointerdown", onDown);
  element.addEventListener("pointermove", onMove);
  element.addEventListener("pointerup", onUp);
  element.addEventListener("pointercancel", onUp);
  element.addEventListener("wheel", onWheel, { passive: false });
  return () => {
    element.removeEventListener("pointerdown", onDown);
    element.removeEventListener("pointermove", onMove);
    element.removeEventListener("pointerup", onUp);
    element.removeEventListener("pointercancel", onUp);
    element.removeEventListener("wheel", onWheel);
  };
}

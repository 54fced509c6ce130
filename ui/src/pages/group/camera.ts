// Which part of a drawing is seen, and how large. Pure.

export type Camera = {
  /** Where the drawing's corner lies on the screen, px. */
  x: number;
  y: number;
  zoom: number;
};

export type Size = { width: number; height: number };
export type Rect = { left: number; top: number; right: number; bottom: number };

export const ZOOM_MAX = 3;
const FIT_EDGE = 24;

/** Show the whole drawing in the middle, and no larger than it is. */
export function fitted(drawing: Size, screen: Size): Camera {
  const zoom = fitZoom(drawing, screen);
  return {
    x: (screen.width - drawing.width * zoom) / 2,
    y: (screen.height - drawing.height * zoom) / 2,
    zoom,
  };
}

export function fitZoom(drawing: Size, screen: Size): number {
  const across = (screen.width - FIT_EDGE * 2) / Math.max(1, drawing.width);
  const down = (screen.height - FIT_EDGE * 2) / Math.max(1, drawing.height);
  return Math.max(1e-4, Math.min(1, across, down));
}

/** Change the size by a factor; the point of the screen that is given stays where it is. */
export function zoomed(
  camera: Camera,
  factor: number,
  at: { x: number; y: number },
  zoomMin: number,
): Camera {
  const zoom = Math.min(ZOOM_MAX, Math.max(zoomMin, camera.zoom * factor));
  const by = zoom / camera.zoom;
  return { x: at.x - (at.x - camera.x) * by, y: at.y - (at.y - camera.y) * by, zoom };
}

/** Keep at least a bit of the drawing on the screen. */
export function kept(camera: Camera, drawing: Size, screen: Size): Camera {
  const edge = 60;
  const clamp = (value: number, length: number, room: number): number =>
    Math.min(room - edge, Math.max(edge - length * camera.zoom, value));
  return {
    x: clamp(camera.x, drawing.width, screen.width),
    y: clamp(camera.y, drawing.height, screen.height),
    zoom: camera.zoom,
  };
}

/** Move so that a part of the drawing is on the screen, if it is not. */
export function revealing(camera: Camera, part: Rect, screen: Size): Camera {
  const move = (begin: number, end: number, offset: number, room: number): number => {
    const from = begin * camera.zoom + offset;
    const to = end * camera.zoom + offset;
    const isSeen = from >= FIT_EDGE && to <= room - FIT_EDGE;
    return isSeen ? offset : offset + room / 2 - (from + to) / 2;
  };
  return {
    x: move(part.left, part.right, camera.x, screen.width),
    y: move(part.top, part.bottom, camera.y, screen.height),
    zoom: camera.zoom,
  };
}

/** Give the part of the drawing that lies under a part of the screen. */
export function under(camera: Camera, screen: Rect): Rect {
  return {
    left: (screen.left - camera.x) / camera.zoom,
    top: (screen.top - camera.y) / camera.zoom,
    right: (screen.right - camera.x) / camera.zoom,
    bottom: (screen.bottom - camera.y) / camera.zoom,
  };
}

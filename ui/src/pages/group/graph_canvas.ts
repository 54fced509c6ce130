// A canvas that shows a scene: draws when something changed and not otherwise, and moves what is drawn already.

import { managerNow } from "../../live/manager-clock";
import { type Camera, fitted, fitZoom, kept, type Rect, revealing, type Size, under, zoomed } from "./camera";
import type { Changed } from "./live";
import type { GroupModel } from "./model";
import { type Marks, paint, RING_PX, type View } from "./paint";
import { countEdges, EDGES_MAX, EDGES_MOVING_MAX } from "./paint_edges";
import { currentPalette, onScheme } from "./palette";
import type { Hit, Scene } from "./scene";
import { at } from "./structure";

/** Up to so many boxes that changed are drawn one by one; for more, all is drawn. */
const PARTS_MAX = 12;
/** A box is shown so that its text can be read, where the whole graph does not make it smaller. */
const FIRST_ZOOM_MIN = 0.02;
const SETTLED_MS = 140;

export type CanvasEvents = {
  /** The camera moved; `hasEdges` is false where there are too many edges to be drawn. */
  onMove: (camera: Camera, screen: Size, hasEdges: boolean) => void;
  /** The first picture was drawn. */
  onFirst: () => void;
  onDrawn: () => void;
};

export class GraphCanvas {
  private readonly context: CanvasRenderingContext2D;
  private scene: Scene | null = null;
  private marks: Marks | null = null;
  private screen: Size = { width: 0, height: 0 };
  private ratio = 1;
  private camera: Camera = { x: 0, y: 0, zoom: 1 };
  private drawn: Camera | null = null;
  private hasEdges = true;
  private parts: Rect[] = [];
  private isStale = true;
  private frame = 0;
  private wasDrawn = false;
  private settling: ReturnType<typeof setTimeout> | undefined;
  private readonly stopScheme: () => void;
  private readonly resizing: ResizeObserver;

  constructor(
    private readonly canvas: HTMLCanvasElement,
    private readonly events: CanvasEvents,
  ) {
    const context = canvas.getContext("2d", { alpha: false });
    if (context === null) throw new Error("this browser draws no canvas");
    this.context = context;
    this.stopScheme = onScheme(() => this.redraw());
    this.resizing = new ResizeObserver(() => this.resize());
    this.resizing.observe(canvas);
    this.resize();
  }

  close(): void {
    cancelAnimationFrame(this.frame);
    clearTimeout(this.settling);
    this.stopScheme();
    this.resizing.disconnect();
  }

  /** Show another scene; the camera stays where the same box is, or shows all of a new graph. */
  show(scene: Scene, anchor: { before: Rect; after: Rect } | null): void {
    const isFirst = this.scene === null;
    this.scene = scene;
    scene.update(scene.model, null);
    if (isFirst) this.fit();
    else if (anchor !== null) {
      this.camera = {
        ...this.camera,
        x: this.camera.x + (anchor.before.left - anchor.after.left) * this.camera.zoom,
        y: this.camera.y + (anchor.before.top - anchor.after.top) * this.camera.zoom,
      };
    }
    this.redraw();
  }

  mark(marks: Marks): void {
    this.marks = marks;
    this.redraw();
  }

  /** Take in what changed in the model. */
  change(model: GroupModel, changed: Changed): void {
    const { scene } = this;
    if (scene === null || scene.model.structure !== model.structure) return;
    scene.update(model, changed);
    if (changed === null || this.isStale) {
      this.redraw();
      return;
    }
    const boxes = new Set<number>();
    for (const task of changed) {
      boxes.add(at(scene.layout.boxOf, task));
      if (boxes.size > PARTS_MAX) {
        this.redraw();
        return;
      }
    }
    for (const box of boxes) {
      if (scene.isOpen(box)) {
        if (changed.length > PARTS_MAX) this.parts.push(scene.rectOf(box));
        else for (const task of changed) this.parts.push(scene.rectOfTask(task));
      } else this.parts.push(scene.rectOf(box));
    }
    this.schedule();
  }

  fit(): void {
    const { scene } = this;
    if (scene === null) return;
    const all = fitted(scene.layout, this.screen);
    this.camera = all.zoom < FIRST_ZOOM_MIN ? { x: 24, y: 24, zoom: FIRST_ZOOM_MIN } : all;
    this.schedule();
  }

  pan(dx: number, dy: number): void {
    this.move({ ...this.camera, x: this.camera.x + dx, y: this.camera.y + dy });
  }

  zoom(factor: number, point?: { x: number; y: number }): void {
    const { scene, screen } = this;
    if (scene === null) return;
    const middle = { x: screen.width / 2, y: screen.height / 2 };
    const least = Math.min(FIRST_ZOOM_MIN, fitZoom(scene.layout, screen)) / 2;
    this.move(zoomed(this.camera, factor, point ?? middle, least));
  }

  /** Bring a part of the drawing on the screen, large enough to be read if `isNear`. */
  reveal(part: Rect, isNear: boolean): void {
    if (isNear && this.camera.zoom < 0.55) {
      const point = {
        x: ((part.left + part.right) / 2) * this.camera.zoom + this.camera.x,
        y: ((part.top + part.bottom) / 2) * this.camera.zoom + this.camera.y,
      };
      this.camera = zoomed(this.camera, 0.8 / this.camera.zoom, point, 0);
    }
    this.move(revealing(this.camera, part, this.screen));
  }

  /** Put a point of the drawing in the middle. */
  centre(x: number, y: number): void {
    const { zoom } = this.camera;
    this.move({ zoom, x: this.screen.width / 2 - x * zoom, y: this.screen.height / 2 - y * zoom });
  }

  hit(x: number, y: number): Hit | null {
    const { camera } = this;
    return this.scene?.hit((x - camera.x) / camera.zoom, (y - camera.y) / camera.zoom) ?? null;
  }

  /** Draw all anew with the next frame. */
  redraw(): void {
    this.isStale = true;
    this.schedule();
  }

  /** Draw all anew when the size has not changed for a moment. */
  private redrawSoon(): void {
    clearTimeout(this.settling);
    this.settling = setTimeout(() => this.redraw(), SETTLED_MS);
  }

  private move(camera: Camera): void {
    if (this.scene === null) return;
    this.camera = kept(camera, this.scene.layout, this.screen);
    this.schedule();
  }

  private resize(): void {
    const ratio = window.devicePixelRatio || 1;
    const { clientWidth: width, clientHeight: height } = this.canvas;
    const isFirst = this.screen.width === 0;
    this.screen = { width, height };
    this.ratio = ratio;
    this.canvas.width = Math.max(1, Math.round(width * ratio));
    this.canvas.height = Math.max(1, Math.round(height * ratio));
    if (isFirst) this.fit();
    this.isStale = true;
    // A canvas that has changed its size is empty until it is drawn.
    if (this.wasDrawn) this.draw();
    else this.schedule();
  }

  private schedule(): void {
    if (this.frame !== 0) return;
    this.frame = requestAnimationFrame(() => {
      this.frame = 0;
      this.draw();
    });
  }

  private draw(): void {
    const { scene, marks, screen, context, ratio } = this;
    if (scene === null || marks === null || screen.width === 0) return;
    // Whole pixels, so that what is drawn can be moved without a blur.
    const camera = {
      x: Math.round(this.camera.x * ratio) / ratio,
      y: Math.round(this.camera.y * ratio) / ratio,
      zoom: this.camera.zoom,
    };
    const whole = { left: 0, top: 0, right: screen.width, bottom: screen.height };
    const { drawn } = this;
    const isZooming = drawn !== null && drawn.zoom !== camera.zoom;
    const edges = countEdges({ scene }, under(camera, whole));
    const edgesMax = isZooming ? EDGES_MOVING_MAX : EDGES_MAX;
    const hasEdges = edges <= edgesMax;
    const view: View = {
      scene,
      camera,
      marks,
      palette: currentPalette(),
      now: managerNow(),
      edges,
      edgesMax,
    };
    if (isZooming && edges > edgesMax) this.redrawSoon();
    if (this.isStale || drawn === null || isZooming || hasEdges !== this.hasEdges) {
      this.paintPart(view, whole);
    } else {
      const [dx, dy] = [camera.x - drawn.x, camera.y - drawn.y];
      if (dx !== 0 || dy !== 0) this.shift(view, dx, dy);
      for (const part of this.parts) this.paintPart(view, this.onScreen(part, camera));
    }
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    this.parts = [];
    this.isStale = false;
    this.drawn = camera;
    this.hasEdges = hasEdges;
    if (!this.wasDrawn) {
      this.wasDrawn = true;
      this.events.onFirst();
    }
    this.events.onMove(camera, screen, isZooming || hasEdges);
    this.events.onDrawn();
  }

  /** Move what is drawn, and draw the strips that come into sight. */
  private shift(view: View, dx: number, dy: number): void {
    const { width, height } = this.screen;
    this.context.setTransform(1, 0, 0, 1, 0, 0);
    this.context.drawImage(this.canvas, Math.round(dx * this.ratio), Math.round(dy * this.ratio));
    if (dx !== 0) {
      const strip = dx > 0 ? { left: 0, right: dx } : { left: width + dx, right: width };
      this.paintPart(view, { ...strip, top: 0, bottom: height });
    }
    if (dy !== 0) {
      const strip = dy > 0 ? { top: 0, bottom: dy } : { top: height + dy, bottom: height };
      this.paintPart(view, { ...strip, left: 0, right: width });
    }
  }

  private onScreen(part: Rect, camera: Camera): Rect {
    return {
      left: part.left * camera.zoom + camera.x - RING_PX,
      top: part.top * camera.zoom + camera.y - RING_PX,
      right: part.right * camera.zoom + camera.x + RING_PX,
      bottom: part.bottom * camera.zoom + camera.y + RING_PX,
    };
  }

  private paintPart(view: View, part: Rect): void {
    const { context, ratio, screen } = this;
    const left = Math.max(0, Math.floor(part.left));
    const top = Math.max(0, Math.floor(part.top));
    const right = Math.min(screen.width, Math.ceil(part.right));
    const bottom = Math.min(screen.height, Math.ceil(part.bottom));
    if (right <= left || bottom <= top) return;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.save();
    context.beginPath();
    context.rect(left, top, right - left, bottom - top);
    context.clip();
    paint(context, view, { left, top, right, bottom });
    context.restore();
  }
}

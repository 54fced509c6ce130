// A small picture of the whole graph, with a frame around what the canvas shows. A click goes there.

import { type ReactNode, type Ref, useEffect, useImperativeHandle, useRef } from "react";
import type { Camera, Size } from "./camera";
import { currentPalette, onScheme } from "./palette";
import type { Scene } from "./scene";
import { at } from "./structure";

export type MinimapHandle = { move: (camera: Camera, screen: Size) => void };

const WIDTH = 168;
const HEIGHT = 112;
const EDGE = 6;

export function Minimap({
  scene,
  version,
  onGo,
  ref,
}: {
  scene: Scene;
  /** Drawn anew when it changes. */
  version: number;
  onGo: (x: number, y: number) => void;
  ref: Ref<MinimapHandle>;
}): ReactNode {
  const canvas = useRef<HTMLCanvasElement>(null);
  const frame = useRef<HTMLDivElement>(null);
  const { layout } = scene;
  const scale = Math.min((WIDTH - EDGE * 2) / layout.width, (HEIGHT - EDGE * 2) / layout.height);
  const left = (WIDTH - layout.width * scale) / 2;
  const top = (HEIGHT - layout.height * scale) / 2;
  useImperativeHandle(
    ref,
    () => ({
      move: (camera, screen) => {
        const element = frame.current;
        if (element === null) return;
        const begin = (value: number, room: number): number => Math.max(0, Math.min(room, value));
        const x0 = begin(left + (-camera.x / camera.zoom) * scale, WIDTH);
        const y0 = begin(top + (-camera.y / camera.zoom) * scale, HEIGHT);
        const x1 = begin(left + ((screen.width - camera.x) / camera.zoom) * scale, WIDTH);
        const y1 = begin(top + ((screen.height - camera.y) / camera.zoom) * scale, HEIGHT);
        element.style.transform = `translate(${x0}px, ${y0}px)`;
        element.style.width = `${Math.max(3, x1 - x0)}px`;
        element.style.height = `${Math.max(3, y1 - y0)}px`;
      },
    }),
    [left, top, scale],
  );
  // biome-ignore lint/correctness/useExhaustiveDependencies: the states in the scene change with the version
  useEffect(() => {
    const draw = (): void => {
      if (canvas.current !== null) drawSmall(canvas.current, scene, scale, left, top);
    };
    draw();
    return onScheme(draw);
  }, [scene, version, scale, left, top]);
  const go = (event: React.PointerEvent): void => {
    if (event.buttons === 0) return;
    const { left: screenX, top: screenY } = event.currentTarget.getBoundingClientRect();
    onGo((event.clientX - screenX - left) / scale, (event.clientY - screenY - top) / scale);
  };
  return (
    <div className="minimap" aria-hidden="true" onPointerDown={go} onPointerMove={go}>
      <canvas ref={canvas} width={WIDTH * 2} height={HEIGHT * 2} />
      <div ref={frame} className="minimap-frame" />
    </div>
  );
}

/** Draw each box as a spot, of the colour of the state that is most urgent in it. */
function drawSmall(canvas: HTMLCanvasElement, scene: Scene, scale: number, left: number, top: number): void {
  const context = canvas.getContext("2d");
  if (context === null) return;
  const palette = currentPalette();
  const { x, y, w, h, boxes } = scene.layout;
  context.setTransform(2, 0, 0, 2, 0, 0);
  context.clearRect(0, 0, WIDTH, HEIGHT);
  for (let box = 0; box < boxes; box++) {
    context.fillStyle = palette.states[scene.urgentIn(box)] as string;
    const width = Math.max(0.8, at(w, box) * scale);
    const height = Math.max(0.8, at(h, box) * scale);
    context.fillRect(left + at(x, box) * scale, top + at(y, box) * scale, width, height);
  }
}

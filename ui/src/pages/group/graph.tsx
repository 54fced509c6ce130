// The graph of a workflow or job, on a canvas.

import {
  type KeyboardEvent,
  type ReactNode,
  useEffect,
  useLayoutEffect,
  useMemo,
  useRef,
  useState,
} from "react";
import { Button } from "react-aria-components";
import { useKeys } from "../../parts/keys";
import { Loading } from "../../parts/messages";
import { wordOf } from "../../states";
import { count, visible } from "../../words";
import { nextMarked } from "./finding";
import { useGestures } from "./gestures";
import { GraphCanvas } from "./graph_canvas";
import { useLayout } from "./layouts";
import { useMarks } from "./marks";
import { Minimap, type MinimapHandle } from "./minimap";
import { type Hit, Scene } from "./scene";
import { type Step, stepFrom } from "./steps";
import { at } from "./structure";
import { useCalm, type ViewProps } from "./views";
import "./graph.css";

const NONE: readonly number[] = [];
const MINIMAP_MS = 1_000;
const TICK_MS = 1_000;
const STEPS: Record<string, Step> = {
  ArrowLeft: "parent",
  ArrowRight: "child",
  ArrowUp: "before",
  ArrowDown: "after",
};
const PANS: Record<string, [number, number]> = {
  ArrowLeft: [80, 0],
  ArrowRight: [-80, 0],
  ArrowUp: [0, 80],
  ArrowDown: [0, -80],
};
const ZOOM_STEP = 1.35;

export function GraphView(props: ViewProps): ReactNode {
  const { live, model, version, selected, select } = props;
  const [open, setOpen] = useState<readonly number[]>(NONE);
  const frame = useRef<HTMLDivElement>(null);
  const aspect = useRef(1.6);
  useLayoutEffect(() => {
    if (frame.current) aspect.current = frame.current.clientWidth / Math.max(1, frame.current.clientHeight);
  }, []);
  const { laidOut, isBusy } = useLayout(model.structure, open, aspect);
  const scene = useMemo(
    () => (laidOut?.structure === model.structure ? new Scene(laidOut.layout, model) : null),
    [laidOut, model],
  );
  const [box, setBox] = useState<number | null>(null);
  // biome-ignore lint/correctness/useExhaustiveDependencies: boxes of another graph have other numbers
  useEffect(() => setBox(null), [model.structure]);
  const marks = useMarks(scene, props, box);
  const canvas = useRef<HTMLCanvasElement>(null);
  const minimap = useRef<MinimapHandle>(null);
  const { drawing, hasEdges } = useDrawing(canvas, minimap, live);
  const calm = useCalm(version, MINIMAP_MS);

  const shown = useRef<Scene | null>(null);
  /** The box of the selected task was opened: its cell is to be seen when that is laid out. */
  const isRevealing = useRef(false);
  useEffect(() => {
    if (drawing === null || scene === null || marks === null) return;
    drawing.mark(marks);
    if (shown.current === scene) return;
    const anchor = shown.current === null ? null : anchorOf(shown.current, scene, marks.box);
    drawing.show(scene, anchor);
    shown.current = scene;
    if (isRevealing.current && marks.task !== null) drawing.reveal(scene.rectOfTask(marks.task), false);
    isRevealing.current = false;
  }, [drawing, scene, marks]);
  useEffect(
    () => live.onChange((changed) => live.model && drawing?.change(live.model, changed)),
    [live, drawing],
  );
  useEffect(() => {
    if (drawing === null) return;
    const timer = setInterval(() => live.model?.isUnderWay && drawing.redraw(), TICK_MS);
    return () => clearInterval(timer);
  }, [live, drawing]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: only another selection moves the picture
  useEffect(() => {
    if (selected !== null && scene !== null && drawing !== null)
      drawing.reveal(scene.rectOfTask(selected), false);
  }, [selected, drawing, scene === null]);

  const toggle = (one: number): void => {
    if (scene === null || scene.sizeOf(one) === 1 || scene.layout.boxes === 1) return;
    const first = scene.firstOf(one);
    setBox(one);
    isRevealing.current = selected !== null && at(scene.layout.boxOf, selected) === one;
    setOpen((before) =>
      before.includes(first) ? before.filter((task) => task !== first) : [...before, first],
    );
  };
  const take = (hit: Hit | null): void => {
    if (hit === null) {
      setBox(null);
      select(null);
    } else if (hit.task !== null) {
      setBox(hit.box);
      select(hit.task);
    } else if (hit.isHead || !scene?.isOpen(hit.box)) {
      select(null);
      toggle(hit.box);
    }
  };
  useGestures(canvas, {
    onPan: (dx, dy) => drawing?.pan(dx, dy),
    onZoom: (factor, point) => drawing?.zoom(factor, point),
    onClick: (x, y) => take(drawing?.hit(x, y) ?? null),
    onPoint: (x, y) => {
      const hit = drawing?.hit(x, y) ?? null;
      return hit === null || scene === null ? null : wordsOf(scene, hit);
    },
  });
  const step = (event: KeyboardEvent): void => {
    const current = marks?.box ?? null;
    const pan = PANS[event.key];
    if (event.key === "Enter" && current !== null) toggle(current);
    else if (event.key === "Escape") take(null);
    else if (pan && (event.shiftKey || current === null)) drawing?.pan(...pan);
    else if (pan && scene !== null && current !== null) {
      const next = stepTo(scene, current, selected, STEPS[event.key] as Step);
      setBox(next.box);
      select(next.task);
      const rect = next.task === null ? scene.rectOf(next.box) : scene.rectOfTask(next.task);
      drawing?.reveal(rect, false);
    } else return;
    event.preventDefault();
  };
  const hits = marks?.hits ?? null;
  const keys = useMemo(
    () => [
      { keys: "+", text: "Nearer", act: () => drawing?.zoom(ZOOM_STEP) },
      { keys: "-", text: "Farther", act: () => drawing?.zoom(1 / ZOOM_STEP) },
      { keys: "0", text: "Show all", act: () => drawing?.fit() },
      {
        keys: "n",
        text: "Next task that the search found",
        act: () => {
          const next = hits === null ? null : nextMarked(hits, selected ?? -1);
          if (next === null || scene === null) return;
          select(next);
          drawing?.reveal(scene.rectOfTask(next), true);
        },
      },
    ],
    [drawing, hits, scene, selected, select],
  );
  useKeys("Graph", keys);
  return (
    <div className="graph" ref={frame}>
      {/* biome-ignore lint/a11y/noInteractiveElementToNoninteractiveRole: the rule does not know this role, which takes keys */}
      <canvas
        ref={canvas}
        className="graph-canvas"
        tabIndex={0}
        role="application"
        aria-label={`Graph of ${count(model.structure.count)} tasks. The table shows the same as a list.`}
        aria-describedby="graph-keys"
        onKeyDown={step}
      />
      {scene === null && <Loading what={`Laying out ${count(model.structure.count)} tasks`} />}
      {isBusy && scene !== null && <div className="graph-note">Laying out …</div>}
      {!isBusy && !hasEdges && (
        <div className="graph-note">Too many edges to see one: go nearer for them.</div>
      )}
      <div className="graph-tools">
        <Button className="button" aria-label="Nearer" onPress={() => drawing?.zoom(ZOOM_STEP)}>
          +
        </Button>
        <Button className="button" aria-label="Farther" onPress={() => drawing?.zoom(1 / ZOOM_STEP)}>
          −
        </Button>
        <Button className="button" onPress={() => drawing?.fit()}>
          Fit
        </Button>
      </div>
      {scene !== null && scene.layout.boxes > 1 && (
        <Minimap ref={minimap} scene={scene} version={calm} onGo={(x, y) => drawing?.centre(x, y)} />
      )}
      <p id="graph-keys" className="graph-keys">
        Drag or wheel moves, Ctrl and wheel zooms. Arrows go from the selected task to parents, children and
        siblings. Enter opens a box.
      </p>
      <p className="only-read" role="status">
        {scene !== null &&
          marks !== null &&
          marks.box !== null &&
          wordsOf(scene, hitOf(marks.box, marks.task))}
      </p>
    </div>
  );
}

function hitOf(box: number, task: number | null): Hit {
  return { box, task, isHead: false };
}

/** Keep a canvas drawn while the caller is on the page. */
function useDrawing(
  canvas: React.RefObject<HTMLCanvasElement | null>,
  minimap: React.RefObject<MinimapHandle | null>,
  live: ViewProps["live"],
): { drawing: GraphCanvas | null; hasEdges: boolean } {
  const [drawing, setDrawing] = useState<GraphCanvas | null>(null);
  const [hasEdges, setHasEdges] = useState(true);
  useEffect(() => {
    const element = canvas.current;
    if (element === null) return;
    const made = new GraphCanvas(element, {
      onFirst: () => {
        element.dataset.firstPicture = String(Math.round(performance.now()));
      },
      onDrawn: () => {
        element.dataset.version = String(live.version);
      },
      onMove: (camera, screen, hasAll) => {
        minimap.current?.move(camera, screen);
        setHasEdges(hasAll);
      },
    });
    setDrawing(made);
    return () => made.close();
  }, [canvas, minimap, live]);
  return { drawing, hasEdges };
}

/** Say what a box or a task is, for those who point at it or hear it. */
function wordsOf(scene: Scene, { box, task }: Hit): string {
  const { structure, states } = scene.model;
  if (task === null) return `${visible(scene.titleOf(box))}, ${count(scene.sizeOf(box))} tasks`;
  return `${visible(structure.ids[task] as string)}, ${wordOf(at(states, task))}`;
}

/** Go a step: through the cells of an open box, otherwise from box to box. */
function stepTo(
  scene: Scene,
  box: number,
  task: number | null,
  step: Step,
): { box: number; task: number | null } {
  const columns = at(scene.layout.columns, box);
  if (columns > 0 && task !== null) {
    const { start, items } = scene.layout.members;
    const number = items.indexOf(task, at(start, box)) - at(start, box);
    const far = { parent: -1, child: 1, before: -columns, after: columns }[step];
    const next = number + far;
    if (next >= 0 && next < scene.sizeOf(box)) return { box, task: at(items, at(start, box) + next) };
  }
  const next = stepFrom(scene.layout, box, step);
  const isInside = scene.sizeOf(next) === 1 || scene.isOpen(next);
  return { box: next, task: isInside ? scene.firstOf(next) : null };
}

/** Give where the same box was and is, so that it stays under the eye. */
function anchorOf(before: Scene, after: Scene, box: number | null): Parameters<GraphCanvas["show"]>[1] {
  if (box === null || before.layout.boxes !== after.layout.boxes) return null;
  return { before: before.rectOf(box), after: after.rectOf(box) };
}

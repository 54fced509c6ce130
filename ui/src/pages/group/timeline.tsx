// The tasks of a workflow or job along the time: when each waited, ran, and on which proplet.

import { type ReactNode, useEffect, useMemo, useRef, useState } from "react";
import { Button, ToggleButton } from "react-aria-components";
import { managerNow } from "../../live/manager-clock";
import { useKeys } from "../../parts/keys";
import { Empty } from "../../parts/messages";
import { wordOf } from "../../states";
import { count, duration, visible } from "../../words";
import { criticalPath } from "./critical";
import { findStates, findText } from "./finding";
import { useGestures } from "./gestures";
import { AXIS_PX, type TimelineView as Drawing, paintTimeline, ROW_PX } from "./paint_timeline";
import { currentPalette, onScheme } from "./palette";
import { usePropletNames } from "./proplet_names";
import { at } from "./structure";
import { movedSpan, padded, type Span, zoomedSpan } from "./timeline_axis";
import { spanOf, timelineRows } from "./timeline_rows";
import { useCalm, type ViewProps } from "./views";
import "./timeline.css";

const ORDER_MS = 1_000;
const TICK_MS = 500;
const ZOOM_STEP = 1.5;
const LABEL_PX = 210;
const LABEL_NARROW_PX = 110;
const NARROW_PX = 620;

export function TimelineView(props: ViewProps): ReactNode {
  const { live, model, version, address, selected, select } = props;
  const [isByProplet, setByProplet] = useState(false);
  const [chosen, setChosen] = useState<Span | null>(null);
  const calm = useCalm(version, ORDER_MS);
  const nameOf = usePropletNames();
  const hits = useMemo(() => findText(model.structure, address.text), [model.structure, address.text]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: what is in the model changes with the version
  const rows = useMemo(
    () => timelineRows(model, [hits, findStates(model, address.states)], isByProplet),
    [model, hits, address.states, isByProplet, calm],
  );
  // biome-ignore lint/correctness/useExhaustiveDependencies: as above
  const critical = useMemo(() => {
    const marks = new Uint8Array(model.structure.count);
    for (const place of criticalPath(model)) marks[place] = 1;
    return marks;
  }, [model, calm]);
  const scroller = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const shown = useRef<Drawing | null>(null);
  const redraw = useCanvas(canvas, scroller, () => {
    const element = scroller.current;
    if (element === null) return null;
    const now = managerNow();
    const most = spanOf(model, now) ?? { from: now - 1000, to: now };
    const width = element.clientWidth;
    shown.current = {
      model,
      rows,
      span: chosen ?? padded(most),
      top: element.scrollTop,
      width,
      height: element.clientHeight,
      labelPx: width < NARROW_PX ? LABEL_NARROW_PX : LABEL_PX,
      selected,
      critical,
      palette: currentPalette(),
      now,
      propletName: (proplet) => nameOf(model.propletIds[proplet] ?? ""),
    };
    return shown.current;
  });
  useEffect(redraw);
  useEffect(() => live.onChange(redraw), [live, redraw]);
  useEffect(() => {
    const timer = setInterval(() => live.model?.isUnderWay && redraw(), TICK_MS);
    return () => clearInterval(timer);
  }, [live, redraw]);
  const position = useMemo(() => (selected === null ? -1 : rows.tasks.indexOf(selected)), [rows, selected]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: only another selection moves the rows
  useEffect(() => {
    if (position >= 0 && scroller.current) revealRow(scroller.current, position);
  }, [selected]);

  const zoom = (factor: number, x?: number): void => {
    const view = shown.current;
    if (view === null) return;
    const fraction = x === undefined ? 0.5 : (x - view.labelPx) / (view.width - view.labelPx);
    const most = spanOf(model, managerNow()) ?? view.span;
    setChosen(zoomedSpan(view.span, factor, Math.max(0, Math.min(1, fraction)), most));
  };
  const taskAt = (y: number): number | null => {
    const view = shown.current;
    if (view === null || y < AXIS_PX) return null;
    const task = view.rows.tasks[Math.floor((y - AXIS_PX + view.top) / ROW_PX)];
    return task === undefined || task < 0 ? null : task;
  };
  useGestures(canvas, {
    onPan: (dx, dy) => {
      const view = shown.current;
      if (view === null) return;
      scroller.current?.scrollBy(0, -dy);
      if (dx === 0) return;
      const perPx = (view.span.to - view.span.from) / (view.width - view.labelPx);
      setChosen(movedSpan(view.span, -dx * perPx, spanOf(model, managerNow()) ?? view.span));
    },
    onZoom: (factor, { x }) => zoom(factor, x),
    onClick: (_, y) => select(taskAt(y)),
    onPoint: (_, y) => {
      const task = taskAt(y);
      return task === null ? null : wordsOf(props, task);
    },
  });
  const step = (far: number): void => {
    for (let row = position + far; row >= 0 && row < rows.tasks.length; row += far) {
      if (at(rows.tasks, row) >= 0) {
        select(at(rows.tasks, row));
        return;
      }
    }
  };
  const acts = useRef({ zoom, step });
  acts.current = { zoom, step };
  useKeys(
    "Timeline",
    useMemo(() => keysOf(acts, () => setChosen(null)), []),
  );
  if (spanOf(model, 0) === null) {
    return (
      <Empty title="Nothing has run yet">The times of the tasks stand here as soon as they begin.</Empty>
    );
  }
  return (
    <div className="timeline">
      <div className="timeline-scroller" ref={scroller} onScroll={redraw}>
        <div className="timeline-room" style={{ height: rows.tasks.length * ROW_PX + AXIS_PX }}>
          {/* biome-ignore lint/a11y/noInteractiveElementToNoninteractiveRole: the rule does not know that this takes keys */}
          <canvas
            ref={canvas}
            className="timeline-canvas"
            tabIndex={0}
            role="application"
            aria-label={`Timeline of ${count(model.structure.count)} tasks. The table shows the same as a list.`}
            onKeyDown={(event) => {
              const far = { ArrowDown: 1, ArrowUp: -1 }[event.key];
              if (far === undefined) return;
              event.preventDefault();
              step(far);
            }}
          />
        </div>
      </div>
      <div className="graph-tools">
        <ToggleButton className="button" isSelected={isByProplet} onChange={setByProplet}>
          By proplet
        </ToggleButton>
        <Button className="button" aria-label="Shorter time" onPress={() => zoom(ZOOM_STEP)}>
          +
        </Button>
        <Button className="button" aria-label="Longer time" onPress={() => zoom(1 / ZOOM_STEP)}>
          −
        </Button>
        <Button className="button" onPress={() => setChosen(null)}>
          Fit
        </Button>
      </div>
      <p className="only-read" role="status">
        {selected !== null && wordsOf(props, selected)}
      </p>
    </div>
  );
}

function keysOf(
  acts: { readonly current: { zoom: (factor: number) => void; step: (far: number) => void } },
  fit: () => void,
): Parameters<typeof useKeys>[1] {
  return [
    { keys: "j", text: "Next task", act: () => acts.current.step(1) },
    { keys: "k", text: "Task before", act: () => acts.current.step(-1) },
    { keys: "+", text: "Shorter time", act: () => acts.current.zoom(ZOOM_STEP) },
    { keys: "-", text: "Longer time", act: () => acts.current.zoom(1 / ZOOM_STEP) },
    { keys: "0", text: "Show all the time", act: fit },
  ];
}

/** Say how a task is, for those who point at it or hear it. */
function wordsOf({ model }: ViewProps, task: number): string {
  const took = model.took(task, managerNow());
  const words = `${visible(model.structure.ids[task] as string)}, ${wordOf(at(model.states, task))}`;
  return took > 0 ? `${words}, ${duration(took / 1000)}` : words;
}

function revealRow(element: HTMLElement, row: number): void {
  const top = row * ROW_PX;
  const room = element.clientHeight - AXIS_PX - ROW_PX;
  if (top < element.scrollTop) element.scrollTop = top;
  else if (top > element.scrollTop + room) element.scrollTop = top - room;
}

/** Keep a canvas drawn; the function that is returned draws it with the next frame. */
function useCanvas(
  canvas: React.RefObject<HTMLCanvasElement | null>,
  scroller: React.RefObject<HTMLElement | null>,
  viewOf: () => Drawing | null,
): () => void {
  const latest = useRef(viewOf);
  latest.current = viewOf;
  const [redraw] = useState(() => {
    let frame = 0;
    return (): void => {
      if (frame !== 0) return;
      frame = requestAnimationFrame(() => {
        frame = 0;
        const view = latest.current();
        if (view !== null && canvas.current !== null) draw(canvas.current, view);
      });
    };
  });
  useEffect(() => {
    const stopScheme = onScheme(redraw);
    const resizing = new ResizeObserver(redraw);
    if (scroller.current) resizing.observe(scroller.current);
    return () => {
      stopScheme();
      resizing.disconnect();
    };
  }, [redraw, scroller]);
  return redraw;
}

function draw(canvas: HTMLCanvasElement, view: Drawing): void {
  const ratio = window.devicePixelRatio || 1;
  const [width, height] = [Math.round(view.width * ratio), Math.round(view.height * ratio)];
  if (canvas.width !== width || canvas.height !== height) {
    canvas.width = width;
    canvas.height = height;
    canvas.style.width = `${view.width}px`;
    canvas.style.height = `${view.height}px`;
  }
  const context = canvas.getContext("2d", { alpha: false });
  if (context === null || view.width === 0) return;
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  paintTimeline(context, view);
  canvas.dataset.firstPicture ??= String(Math.round(performance.now()));
}

// The graph of what a file makes, before it is created.

import { type ReactNode, useMemo } from "react";
import { count, shortened, visible } from "../../words";
import { at, listed } from "../group/structure";
import { previewOf } from "./preview-layout";
import "./preview.css";

export type PreviewTask = { id: string; name: string; module: string; line: number };

const BOXES_MAX = 400;
const NAME_CHARS_MAX = 22;
/** No box is drawn smaller than that; a larger graph is scrolled. */
const SCALE_MIN = 0.62;
const SCROLLED_PX = 400;
const MARGIN = 12;
/** About that of the place where it stands. */
const ASPECT = 1.3;

export default function Preview(props: {
  tasks: readonly PreviewTask[];
  edges: readonly (readonly string[])[];
  isSequence: boolean;
  /** Tasks with mistakes, by id. */
  wrong: ReadonlySet<string>;
  onTask: (task: PreviewTask) => void;
}): ReactNode {
  const { tasks, edges, isSequence } = props;
  const layout = useMemo(() => previewOf(tasks, edges, isSequence, ASPECT), [tasks, edges, isSequence]);
  const said = `${count(tasks.length)} ${tasks.length === 1 ? "task" : "tasks"}, ${count(edges.length)} ${edges.length === 1 ? "edge" : "edges"}`;
  if (layout.boxes > BOXES_MAX) return <p className="quiet">{said}: too many to draw here.</p>;
  const [width, height] = [layout.width + 2 * MARGIN, layout.height + 2 * MARGIN];
  const isScrolled = width * SCALE_MIN > SCROLLED_PX || height * SCALE_MIN > SCROLLED_PX;
  const lines = Array.from({ length: layout.edges.length / 2 }, (_, edge) => (
    <path
      key={edge}
      className="preview-edge"
      d={pathOf(layout.points, at(layout.pointStart, edge), at(layout.pointStart, edge + 1))}
    />
  ));
  const boxes = Array.from({ length: layout.boxes }, (_, box) => {
    const members = listed(layout.members, box);
    const first = tasks[at(members, 0)];
    if (first === undefined) return null;
    const isWrong = members.some((place) => props.wrong.has(tasks[place]?.id ?? ""));
    return (
      <Box
        key={first.id}
        task={first}
        size={members.length}
        isWrong={isWrong}
        x={at(layout.x, box)}
        y={at(layout.y, box)}
        width={at(layout.w, box)}
        height={at(layout.h, box)}
        onTask={props.onTask}
      />
    );
  });
  return (
    <figure className="preview">
      <section className="preview-frame" tabIndex={isScrolled ? 0 : undefined} aria-label="The whole graph">
        <svg
          viewBox={`${-MARGIN} ${-MARGIN} ${width} ${height}`}
          style={{ width: `max(min(100%, ${width}px), ${width * SCALE_MIN}px)` }}
          role="img"
          aria-label={`Graph: ${said}`}
        >
          {lines}
          {boxes}
        </svg>
      </section>
      <figcaption className="quiet">
        {said}
        {isSequence && ", one after another"}
      </figcaption>
    </figure>
  );
}

type BoxProps = {
  task: PreviewTask;
  /** How many tasks it stands for. */
  size: number;
  isWrong: boolean;
  x: number;
  y: number;
  width: number;
  height: number;
  onTask: (task: PreviewTask) => void;
};

function Box({ task, size, isWrong, x, y, width, height, onTask }: BoxProps): ReactNode {
  const title = size > 1 ? `${count(size)} × ${visible(task.name || task.module)}` : visible(task.id);
  const below = size > 1 ? `${visible(shortened(task.id, 14))} …` : visible(task.name || task.module);
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: the lines of the file are reached by keys in the editor
    <g className="preview-box" data-wrong={isWrong || undefined} onClick={() => onTask(task)}>
      <title>{visible(task.id)}</title>
      <rect x={x} y={y} width={width} height={height} rx={7} />
      <text x={x + 12} y={y + height / 2 - 4} className="preview-name">
        {isWrong && "✕ "}
        {shortened(title, NAME_CHARS_MAX)}
      </text>
      <text x={x + 12} y={y + height / 2 + 13} className="preview-below">
        {shortened(below, NAME_CHARS_MAX + 4)}
      </text>
    </g>
  );
}

/** Draw an edge as a curve that leaves and comes in level. */
function pathOf(points: Float32Array, begin: number, end: number): string {
  let path = `M${at(points, begin * 2)} ${at(points, begin * 2 + 1)}`;
  for (let point = begin + 1; point < end; point++) {
    const [fromX, fromY] = [at(points, point * 2 - 2), at(points, point * 2 - 1)];
    const [toX, toY] = [at(points, point * 2), at(points, point * 2 + 1)];
    const middle = (fromX + toX) / 2;
    path += `C${middle} ${fromY} ${middle} ${toY} ${toX} ${toY}`;
  }
  return path;
}

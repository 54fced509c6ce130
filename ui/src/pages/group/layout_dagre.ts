// Lays out small graphs by Dagre, which crosses fewer edges than our own layers and leads long edges around boxes.

import { Graph, layout } from "@dagrejs/dagre";
import { depthsOf } from "./fold";
import { GAP_X, GAP_Y, type Placed, type Sizes } from "./layers";
import { at, listsOf } from "./structure";

/** Place boxes and edges; null for a graph that is deeper than `depthMax`. */
export function byDagre(
  count: number,
  edges: Int32Array,
  { widths, heights }: Sizes,
  depthMax: number,
): (Placed & { points: Float32Array; pointStart: Int32Array }) | null {
  const depths = depthsOf(count, listsOf(count, edges, 1), listsOf(count, edges, 0));
  if (depths.some((depth) => depth > depthMax)) return null;
  const graph = new Graph();
  graph.setGraph({ rankdir: "LR", ranksep: GAP_X, nodesep: GAP_Y, edgesep: 8 });
  graph.setDefaultEdgeLabel(() => ({}));
  for (let box = 0; box < count; box++) {
    graph.setNode(String(box), { width: at(widths, box), height: at(heights, box) });
  }
  for (let edge = 0; edge < edges.length; edge += 2)
    graph.setEdge(String(edges[edge]), String(edges[edge + 1]));
  layout(graph);
  const x = new Float32Array(count);
  const y = new Float32Array(count);
  let width = 0;
  let height = 0;
  for (let box = 0; box < count; box++) {
    const node = graph.node(String(box)) as { x: number; y: number };
    x[box] = node.x - at(widths, box) / 2;
    y[box] = node.y - at(heights, box) / 2;
    width = Math.max(width, node.x + at(widths, box) / 2);
    height = Math.max(height, node.y + at(heights, box) / 2);
  }
  const points: number[] = [];
  const pointStart = new Int32Array(edges.length / 2 + 1);
  for (let edge = 0; edge < edges.length; edge += 2) {
    const label = graph.edge(String(edges[edge]), String(edges[edge + 1])) as {
      points: { x: number; y: number }[];
    };
    const [parent, child] = [at(edges, edge), at(edges, edge + 1)];
    points.push(at(x, parent) + at(widths, parent), at(y, parent) + at(heights, parent) / 2);
    // Between neighbouring layers there is nothing to go around.
    if (label.points.length > 3) for (const bend of label.points.slice(1, -1)) points.push(bend.x, bend.y);
    points.push(at(x, child), at(y, child) + at(heights, child) / 2);
    pointStart[edge / 2 + 1] = points.length / 2;
  }
  return {
    x,
    y,
    width,
    height,
    bands: new Int32Array(count),
    bandTops: new Float32Array(1),
    points: Float32Array.from(points),
    pointStart,
  };
}

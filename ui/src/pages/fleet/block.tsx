// One proplet on the map of the fleet.

import { memo, type ReactNode } from "react";
import { colourOf, wordOf } from "../../states";
import { count, shortened, visible } from "../../words";
import { cellsOf, heightOf, type Measures, pathOf, placeOf, widthOf } from "./layout";
import { LivenessSign } from "./liveness";
import { LIVENESS_WORDS, livenessOf, type PropletView, tagsOf } from "./proplets";

export type BlockProps = {
  proplet: PropletView;
  measures: Measures;
  /** Its place among all, which is how the map finds it. */
  at: number;
  /** The cell that is pointed at; -1 for none. */
  pointed: number;
};

export const Block = memo(function Block({ proplet, measures, at, pointed }: BlockProps): ReactNode {
  const liveness = livenessOf(proplet);
  const cells = cellsOf(proplet);
  const width = widthOf(measures);
  const height = heightOf(measures, cells);
  const place = placeOf(measures, Math.max(pointed, 0));
  return (
    <div
      className="block"
      data-at={at}
      data-liveness={liveness}
      data-size={measures.name}
      style={{ width, height }}
    >
      {measures.head > 0 && (
        <div className="block-head" style={{ height: measures.head }}>
          <div className="block-name">
            <LivenessSign of={liveness} size={measures.name === "large" ? 14 : 10} />
            <span>{shortened(visible(proplet.name || proplet.id), 40)}</span>
          </div>
          {measures.name === "large" && (
            <div className="block-more number">
              <span>{factOf(proplet)}</span>
              <span>
                {count(proplet.task_count)} of {count(proplet.slots)}
              </span>
            </div>
          )}
        </div>
      )}
      <svg width={width} height={height} aria-hidden="true">
        {pathsOf(proplet, cells).map(([look, some]) => (
          <path
            key={look}
            className="cells"
            data-look={look === "free" ? "free" : "busy"}
            style={look === "free" ? undefined : { fill: `var(${look})` }}
            d={pathOf(measures, some)}
          />
        ))}
        {pointed >= 0 && (
          <rect
            className="cell-pointed"
            x={place.x - 1}
            y={place.y - 1}
            width={measures.cell + 2}
            height={measures.cell + 2}
          />
        )}
      </svg>
    </div>
  );
});

/** The cells by the colour that they have, "free" for those without a task. */
function pathsOf(proplet: PropletView, cells: number): [string, number[]][] {
  const found = new Map<string, number[]>();
  for (let cell = 0; cell < cells; cell += 1) {
    const task = proplet.running?.[cell];
    const look = task ? colourOf(wordOf(task.state)) : "free";
    const some = found.get(look);
    if (some) some.push(cell);
    else found.set(look, [cell]);
  }
  return [...found];
}

/** What is most worth to know of a proplet, in few words. */
function factOf(proplet: PropletView): string {
  const liveness = livenessOf(proplet);
  if (liveness !== "alive") return LIVENESS_WORDS[liveness];
  return shortened(visible(tagsOf(proplet).join(", ")), 24) || LIVENESS_WORDS.alive;
}

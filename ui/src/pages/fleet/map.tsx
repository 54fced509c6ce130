// The map of the fleet: each slot is a cell, filled by what runs in it.

import { useVirtualizer } from "@tanstack/react-virtual";
import {
  type KeyboardEvent,
  type MouseEvent,
  type ReactNode,
  useLayoutEffect,
  useMemo,
  useRef,
  useState,
} from "react";
import { useLocation } from "wouter";
import { useKeys } from "../../parts/keys";
import { PROPLET_KEYS, usePropletAsk } from "./acting";
import { Block } from "./block";
import { CellWords } from "./cell-words";
import {
  type Cursor,
  cellAt,
  cellsOf,
  heightOf,
  inRow,
  measuresFor,
  moved,
  placeOf,
  taskIn,
  widthOf,
} from "./layout";
import type { PropletView } from "./proplets";
import "./map.css";

const ARROWS = new Set(["ArrowRight", "ArrowLeft", "ArrowDown", "ArrowUp", "Home", "End"]);

type Pointed = Cursor & { isByKeys: boolean };

export function FleetMap({ proplets }: { proplets: readonly PropletView[] }): ReactNode {
  const place = useRef<HTMLDivElement>(null);
  const { width, top } = usePlace(place);
  const measures = useMemo(() => measuresFor(proplets), [proplets]);
  const perRow = inRow(measures, width);
  const rows = Math.ceil(proplets.length / perRow);
  const [pointed, setPointed] = useState<Pointed | null>(null);
  const [, go] = useLocation();
  const heightOfRow = (row: number): number =>
    measures.between +
    Math.max(
      ...proplets.slice(row * perRow, (row + 1) * perRow).map((one) => heightOf(measures, cellsOf(one))),
    );
  const list = useVirtualizer({
    count: rows,
    getScrollElement: () => document.getElementById("main"),
    estimateSize: heightOfRow,
    scrollMargin: top,
    overscan: 3,
  });
  // biome-ignore lint/correctness/useExhaustiveDependencies: heights follow from these
  useLayoutEffect(() => list.measure(), [measures, perRow, rows, proplets]);

  const findAt = (event: MouseEvent): Cursor | null => {
    const block = (event.target as Element).closest<HTMLElement>("[data-at]");
    const at = Number(block?.dataset.at ?? -1);
    const proplet = proplets[at];
    if (block === null || proplet === undefined) return null;
    const box = block.getBoundingClientRect();
    return {
      proplet: at,
      cell: cellAt(measures, cellsOf(proplet), event.clientX - box.left, event.clientY - box.top),
    };
  };
  const open = (cursor: Cursor | null): void => {
    const proplet = cursor && proplets[cursor.proplet];
    if (!proplet) return;
    const task = taskIn(proplet, cursor.cell);
    go(task ? `/tasks/${encodeURIComponent(task.task_id)}` : `/proplets/${encodeURIComponent(proplet.id)}`);
  };
  const onKey = (event: KeyboardEvent): void => {
    if (event.key === "Enter") open(pointed);
    if (event.key === "Escape") setPointed(null);
    if (!ARROWS.has(event.key)) return;
    event.preventDefault();
    const next = pointed ? moved(pointed, event.key, proplets, measures, perRow) : { proplet: 0, cell: 0 };
    setPointed({ ...next, isByKeys: true });
    list.scrollToIndex(Math.floor(next.proplet / perRow));
  };
  const present = pointed && proplets[pointed.proplet];
  const ask = usePropletAsk();
  const keys = PROPLET_KEYS.map(({ keys, text, action }) => ({
    keys,
    text,
    act: () => present && ask(action, present),
  }));
  useKeys("Map", keys);
  return (
    <div className="map-place">
      <Legend />
      <div
        className="map"
        ref={place}
        role="application"
        aria-label="Map of the fleet. The arrow keys go from slot to slot, Enter opens what runs there. The table has the same."
        aria-describedby="map-words"
        // biome-ignore lint/a11y/noNoninteractiveTabindex: the map is walked by keys
        tabIndex={0}
        onKeyDown={onKey}
        onPointerMove={(event) => {
          const next = findAt(event);
          setPointed((before) =>
            before && next && before.proplet === next.proplet && before.cell === next.cell
              ? before
              : next && { ...next, isByKeys: false },
          );
        }}
        onPointerLeave={() => setPointed(null)}
        onBlur={() => setPointed(null)}
        onClick={(event) => open(findAt(event))}
        style={{ height: list.getTotalSize() }}
      >
        {list.getVirtualItems().map((row) => (
          <div
            key={row.key}
            className="map-row"
            style={{ transform: `translateY(${row.start - top}px)`, gap: measures.between }}
          >
            {proplets.slice(row.index * perRow, (row.index + 1) * perRow).map((proplet, column) => {
              const at = row.index * perRow + column;
              return (
                <Block
                  key={proplet.id}
                  proplet={proplet}
                  measures={measures}
                  at={at}
                  pointed={pointed?.proplet === at ? pointed.cell : -1}
                />
              );
            })}
          </div>
        ))}
        {present && (
          <div className="map-words" id="map-words" role="status" style={wordsPlace()}>
            <CellWords proplet={present} cell={pointed.cell} />
          </div>
        )}
      </div>
    </div>
  );

  /** Below the cell that is pointed at, and within the map. */
  function wordsPlace(): { left: number; top: number } {
    const at = pointed as Pointed;
    const row = list.getVirtualItems().find((one) => one.index === Math.floor(at.proplet / perRow));
    const cell = placeOf(measures, Math.max(at.cell, 0));
    const left = (at.proplet % perRow) * (widthOf(measures) + measures.between) + cell.x;
    return {
      left: Math.max(0, Math.min(left, width - WORDS_PX)),
      top: (row ? row.start - top : 0) + cell.y + measures.cell + 8,
    };
  }
}

const WORDS_PX = 290;

/** Give how wide an element is, and how far down the page. */
function usePlace(place: { current: HTMLElement | null }): { width: number; top: number } {
  const [found, setFound] = useState({ width: 0, top: 0 });
  useLayoutEffect(() => {
    const element = place.current;
    const main = document.getElementById("main");
    if (element === null || main === null) return;
    const look = (): void => {
      const width = element.clientWidth;
      const top = element.getBoundingClientRect().top - main.getBoundingClientRect().top + main.scrollTop;
      setFound((before) => (before.width === width && before.top === top ? before : { width, top }));
    };
    look();
    const observer = new ResizeObserver(look);
    observer.observe(element);
    observer.observe(main);
    return () => observer.disconnect();
  }, [place]);
  return found;
}

function Legend(): ReactNode {
  return (
    <div className="map-legend quiet">
      <span>
        <i className="legend-cell" data-look="busy" /> runs a task
      </span>
      <span>
        <i className="legend-cell" data-look="free" /> free
      </span>
      <span>
        <i className="legend-block" data-liveness="cordoned" /> cordoned or draining
      </span>
      <span>
        <i className="legend-block" data-liveness="lost" /> not alive
      </span>
    </div>
  );
}

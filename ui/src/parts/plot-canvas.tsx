import { type ReactNode, useEffect, useRef } from "react";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { colourAt, useIsDark } from "./colours";
import type { PlotProps } from "./plot";

type CanvasProps = PlotProps & {
  height: number;
  /** Which of the times is pointed at by keys. */
  at: number | null;
  onPoint: (at: number | null) => void;
};

/** A time axis that is longer than this shows no seconds, ms. */
const SECONDS_MS_MAX = 5 * 60_000;
const MINUTES = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const SECONDS = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });
const FONT = "11px system-ui, sans-serif";

/** The drawing of a plot, as wide as the place it is in. */
export default function PlotCanvas(props: CanvasProps): ReactNode {
  const { times, series, height, at, from, to } = props;
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const newest = useRef(props);
  newest.current = props;
  const isDark = useIsDark();
  const look = series.map((one) => `${one.name} ${one.colour} ${one.isFilled} ${one.dash}`).join("\n");

  // biome-ignore lint/correctness/useExhaustiveDependencies: it is made anew when how it looks changes, not with the values
  useEffect(() => {
    const element = place.current;
    if (element === null) return;
    const made = new uPlot(optionsOf(element, newest), dataOf(newest.current), element);
    plot.current = made;
    const observer = new ResizeObserver(() => {
      made.setSize({ width: element.clientWidth, height: newest.current.height });
    });
    observer.observe(element);
    return () => {
      observer.disconnect();
      made.destroy();
      plot.current = null;
    };
  }, [look, isDark, height]);

  // biome-ignore lint/correctness/useExhaustiveDependencies: the values are read by `dataOf`
  useEffect(() => {
    plot.current?.setData(dataOf(newest.current));
  }, [times, series, from, to]);

  useEffect(() => {
    const made = plot.current;
    const time = at === null ? undefined : newest.current.times[at];
    if (!made || (at ?? null) === (made.cursor.idx ?? null)) return;
    made.setCursor({ left: time === undefined ? -10 : made.valToPos(time, "x"), top: 0 }, false);
  }, [at]);

  return <div ref={place} className="plot-place" />;
}

function dataOf({ times, series }: CanvasProps): uPlot.AlignedData {
  return [times as number[], ...series.map((one) => one.values as (number | null)[])];
}

function optionsOf(element: HTMLElement, newest: { current: CanvasProps }): uPlot.Options {
  const { series, height } = newest.current;
  const quiet = colourAt(element, "--text-quiet");
  const line = colourAt(element, "--line");
  const axis: uPlot.Axis = {
    stroke: quiet,
    font: FONT,
    grid: { stroke: line, width: 1 },
    ticks: { show: false },
  };
  return {
    width: element.clientWidth,
    height,
    ms: 1,
    padding: [8, 28, 0, 0],
    legend: { show: false },
    cursor: { y: false, drag: { x: false, y: false } },
    scales: {
      x: {
        time: true,
        range: (_, lowest, highest) => [newest.current.from ?? lowest, newest.current.to ?? highest],
      },
      y: { range: (_, __, highest) => [0, Math.max(newest.current.top ?? 0, (highest ?? 0) * 1.08) || 1] },
    },
    axes: [
      { ...axis, size: 26, gap: 5, space: 80, values: timesOf, grid: { show: false } },
      {
        ...axis,
        gap: 6,
        space: 32,
        ...(newest.current.steps ? { incrs: STEPS[newest.current.steps] } : {}),
        values: (_, splits) => splits.map((value) => newest.current.say(value)),
        size: (_, values) => 16 + 6.3 * Math.max(3, ...(values ?? []).map((text) => text.length)),
      },
    ],
    series: [
      {},
      ...series.map((one): uPlot.Series => {
        const colour = colourAt(element, one.colour);
        return {
          label: one.name,
          stroke: colour,
          width: 1.75,
          points: { show: false },
          ...(one.dash ? { dash: [...one.dash] } : {}),
          ...(one.isFilled ? { fill: colour.replace(/^rgb\((.*)\)$/, "rgba($1, 0.16)") } : {}),
        };
      }),
    ],
    hooks: {
      setCursor: [(made) => newest.current.onPoint(made.cursor.idx ?? null)],
    },
  };
}

const STEPS = {
  whole: Array.from({ length: 13 }, (_, power) => [1, 2, 5].map((step) => step * 10 ** power)).flat(),
  bytes: Array.from({ length: 48 }, (_, power) => 2 ** power),
};

function timesOf(made: uPlot, splits: number[]): string[] {
  const { min = 0, max = 0 } = made.scales.x ?? {};
  const format = (max ?? 0) - (min ?? 0) > SECONDS_MS_MAX ? MINUTES : SECONDS;
  return splits.map((at) => format.format(at));
}

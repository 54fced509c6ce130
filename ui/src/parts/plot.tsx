// A plot of values over time, with what it says in words below it. What draws is loaded when the first one is shown.

import { type KeyboardEvent, type ReactNode, Suspense, useState } from "react";
import { later } from "../live/later";
import { managerNow } from "../live/manager-clock";
import { clock } from "../words";
import { inWords, summary, type Values } from "./series";
import "./plot.css";

const Canvas = later(() => import("./plot-canvas"));

export type PlotSeries = {
  name: string;
  /** One for each of `times`; null where nothing was measured. */
  values: Values;
  /** A variable of the theme, such as `--state-running`. */
  colour: string;
  isFilled?: boolean;
  /** Lengths of line and gap in pixels, so that lines differ also for people who do not see colours. */
  dash?: readonly number[];
};

export type PlotProps = {
  /** What is shown, such as "CPU". */
  label: string;
  /** ms since the epoch, rising. */
  times: readonly number[];
  series: readonly PlotSeries[];
  /** Say a value with its unit, on the axis and in words. */
  say: (value: number) => string;
  /** In pixels. */
  height?: number;
  /** The ends of the time axis, ms; those of the values without. */
  from?: number | undefined;
  to?: number | undefined;
  /** The value axis reaches at least so far, from 0. */
  top?: number;
  /** What the steps of the value axis are: whole numbers, or of bytes. */
  steps?: "whole" | "bytes";
};

/** Show values over time. The arrow keys go from one moment to the next. */
export function Plot(props: PlotProps): ReactNode {
  const { label, times, series, say, height = 160 } = props;
  const [at, setAt] = useState<number | null>(null);
  const last = times.length - 1;
  const shownAt = at === null ? null : Math.min(at, last);
  if (last < 0) {
    return (
      <div className="plot-empty" style={{ height }}>
        {label}: nothing measured yet
      </div>
    );
  }
  const onKey = (event: KeyboardEvent): void => {
    const next = stepped(event.key, shownAt ?? last, last);
    if (next === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    setAt(next);
  };
  const words = series.map((one) => inWords(one.name, one.values, say)).join("; ");
  return (
    <figure className="plot" aria-label={label}>
      <div
        role="slider"
        tabIndex={0}
        className="plot-area"
        aria-label={`${label} over time. ${words}`}
        aria-valuemin={0}
        aria-valuemax={last}
        aria-valuenow={shownAt ?? last}
        aria-valuetext={valuesAt(props, shownAt ?? last)}
        onKeyDown={onKey}
        onBlur={() => setAt(null)}
        style={{ height }}
      >
        <Suspense fallback={null}>
          <Canvas {...props} height={height} at={shownAt} onPoint={setAt} />
        </Suspense>
      </div>
      <Words {...props} at={shownAt} />
    </figure>
  );
}

function stepped(key: string, at: number, last: number): number | null | undefined {
  if (key === "ArrowLeft" || key === "ArrowDown") return Math.max(0, at - 1);
  if (key === "ArrowRight" || key === "ArrowUp") return Math.min(last, at + 1);
  if (key === "PageUp") return Math.max(0, at - 10);
  if (key === "PageDown") return Math.min(last, at + 10);
  if (key === "Home") return 0;
  if (key === "End") return last;
  if (key === "Escape") return null;
  return undefined;
}

function valuesAt({ times, series, say }: PlotProps, at: number): string {
  const values = series.map((one) => `${one.name} ${said(one.values[at], say)}`);
  return `${clock(times[at] ?? 0, managerNow())}: ${values.join(", ")}`;
}

function said(value: number | null | undefined, say: (value: number) => string): string {
  return value === null || value === undefined ? "–" : say(value);
}

/** The values below the plot: those now, or those at the place that is pointed at. */
function Words({ times, series, say, at }: PlotProps & { at: number | null }): ReactNode {
  return (
    <figcaption className="plot-words">
      <span className="quiet number plot-when">
        {at === null ? "now" : clock(times[at] ?? 0, managerNow())}
      </span>
      {series.map((one) => {
        const all = summary(one.values);
        return (
          <span key={one.name} className="plot-word">
            <Mark colour={one.colour} dash={one.dash} />
            {one.name}{" "}
            <strong className="number">{said(at === null ? all?.now : one.values[at], say)}</strong>
            {all && (
              <span className="quiet number">
                {say(all.lowest)} to {say(all.highest)}
              </span>
            )}
          </span>
        );
      })}
    </figcaption>
  );
}

/** The line of a series, as it is in the plot. */
function Mark({ colour, dash }: { colour: string; dash: readonly number[] | undefined }): ReactNode {
  return (
    <svg className="plot-mark" style={{ color: `var(${colour})` }} width="22" height="8" aria-hidden="true">
      <line
        x1="0"
        x2="22"
        y1="4"
        y2="4"
        stroke="currentColor"
        strokeWidth="2.5"
        strokeDasharray={dash?.join(" ")}
      />
    </svg>
  );
}

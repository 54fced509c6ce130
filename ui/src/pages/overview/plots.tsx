import { useQuery } from "@tanstack/react-query";
import { type ReactNode, useMemo } from "react";
import { api, ask, type Shapes } from "../../api/client";
import { managerNow } from "../../live/manager-clock";
import { Loading, Problem } from "../../parts/messages";
import { Plot, type PlotSeries } from "../../parts/plot";
import { count } from "../../words";
import { busiestInWords, endedInWords, perMinute, timesOf } from "./pace";

/** A step is there a moment after it has ended. */
const LATE_MS = 400;
const PAUSE_MS_MIN = 1_000;

/** Plots of the last hour: what ended, and what waited and ran. */
export function Pace(): ReactNode {
  const query = useQuery({
    queryKey: ["pace"],
    queryFn: ({ signal }) => ask(api.GET("/pace", { signal })),
    refetchInterval: ({ state }) => {
      const { end = 0, step_s = 10 } = state.data ?? {};
      return Math.min(Math.max(PAUSE_MS_MIN, end + step_s * 1000 + LATE_MS - managerNow()), step_s * 1000);
    },
  });
  if (!query.data) {
    return query.error ? (
      <Problem error={query.error} what="The pace could not be read." />
    ) : (
      <Loading what="Loading the last hour" />
    );
  }
  return <Plots pace={query.data} />;
}

function Plots({ pace }: { pace: Shapes["PaceView"] }): ReactNode {
  const times = useMemo(() => timesOf(pace), [pace]);
  const ended = useMemo<PlotSeries[]>(
    () => [
      {
        name: "completed",
        values: perMinute(pace.completed, pace.step_s),
        colour: "--state-completed",
        isFilled: true,
      },
      { name: "failed", values: perMinute(pace.failed, pace.step_s), colour: "--state-failed", dash: [7, 3] },
      {
        name: "skipped or interrupted",
        values: perMinute(pace.ended_otherwise, pace.step_s),
        colour: "--state-interrupted",
        dash: [2, 3],
      },
    ],
    [pace],
  );
  const queue = useMemo<PlotSeries[]>(
    () => [
      { name: "running", values: pace.running, colour: "--state-running", isFilled: true },
      { name: "waiting for a proplet", values: pace.waiting, colour: "--state-scheduled", dash: [7, 3] },
    ],
    [pace],
  );
  const whole = {
    times,
    say: (value: number) => count(Math.round(value)),
    isWhole: true,
    top: 4,
    height: 150,
  };
  return (
    <div className="overview-plots">
      <section className="card overview-card">
        <h2>
          Tasks ended a minute <span className="overview-more quiet">{endedInWords(pace)}</span>
        </h2>
        <Plot label="Tasks ended a minute" series={ended} {...whole} />
      </section>
      <section className="card overview-card">
        <h2>
          Tasks running and waiting <span className="overview-more quiet">{busiestInWords(pace)}</span>
        </h2>
        <Plot label="Tasks running and waiting" series={queue} {...whole} />
      </section>
    </div>
  );
}

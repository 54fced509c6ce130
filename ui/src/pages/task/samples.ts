// Measured samples as rows for plots: the oldest first, each row as long as the times.

import type { Shapes } from "../../api/client";
import type { Values } from "../../parts/series";

export type Rows = { times: number[]; cpu: Values; memory: Values };

/** Say a share of a processor: `7.5 %`. */
export function percent(value: number): string {
  return `${value.toFixed(value < 9.95 && !Number.isInteger(value) ? 1 : 0)} %`;
}

/** Read the samples of a task, of which the API gives the newest first. */
export function rowsOfTask(samples: readonly Shapes["TaskSample"][]): Rows {
  const sorted = inOrder(samples);
  return {
    times: sorted.map((one) => Date.parse(one.timestamp)),
    cpu: sorted.map((one) => one.metrics.cpu_percent),
    memory: sorted.map((one) => one.metrics.memory_bytes),
  };
}

/** Read the samples of a proplet, of which the API gives the newest first. */
export function rowsOfProplet(samples: readonly Shapes["PropletSample"][]): Rows {
  const sorted = inOrder(samples);
  return {
    times: sorted.map((one) => Date.parse(one.timestamp)),
    cpu: sorted.map((one) => one.cpu_metrics.percent),
    memory: sorted.map((one) => one.memory_metrics.rss_bytes),
  };
}

function inOrder<Sample extends { timestamp: string }>(samples: readonly Sample[]): Sample[] {
  return samples.toSorted((one, other) => Date.parse(one.timestamp) - Date.parse(other.timestamp));
}

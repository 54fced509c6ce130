// What proplets are like, and which of them a reader asks for.

import type { Shapes } from "../../api/client";
import { timeOf } from "../../words";

export type PropletView = Shapes["PropletView"];
export type RunningTask = Shapes["RunningTask"];

export const LIVENESS = ["alive", "cordoned", "draining", "lost"] as const;
export type Liveness = (typeof LIVENESS)[number];

/** How a proplet is said to be; one that is lost is that first, whatever was asked of it. */
export function livenessOf(proplet: PropletView): Liveness {
  if (!proplet.alive) return "lost";
  if (!proplet.cordoned) return "alive";
  return timeOf(proplet.drain_by) > 0 ? "draining" : "cordoned";
}

export const LIVENESS_WORDS: Record<Liveness, string> = {
  alive: "alive",
  cordoned: "cordoned",
  draining: "draining",
  lost: "not alive",
};

export const LIVENESS_MEANING: Record<Liveness, string> = {
  alive: "takes tasks",
  cordoned: "gets no new tasks; those that it has go on",
  draining: "gets no new tasks; those that it has are moved to others at a set time",
  lost: "has not been heard of for too long",
};

export type FleetFilters = { search: string; tag: string; liveness: string };

/** Choose proplets: a text is part of the id, the name, the host or a tag, without regard to case. */
export function chosenOf(proplets: readonly PropletView[], filters: FleetFilters): PropletView[] {
  const wanted = filters.search.trim().toLowerCase();
  return proplets.filter(
    (proplet) =>
      (!filters.liveness || livenessOf(proplet) === filters.liveness) &&
      (!filters.tag || tagsOf(proplet).includes(filters.tag)) &&
      (!wanted || textsOf(proplet).some((text) => text.toLowerCase().includes(wanted))),
  );
}

function textsOf(proplet: PropletView): string[] {
  const { hostname = "", location = "" } = proplet.metadata;
  return [proplet.id, proplet.name, hostname, location, ...tagsOf(proplet)];
}

export function tagsOf(proplet: PropletView): readonly string[] {
  return proplet.metadata.tags ?? [];
}

/** Give all tags that there are, in order. */
export function allTags(proplets: readonly PropletView[]): string[] {
  return [...new Set(proplets.flatMap(tagsOf))].toSorted((one, other) => one.localeCompare(other));
}

/** Count proplets by how they are. */
export function countsOf(proplets: readonly PropletView[]): Record<Liveness, number> {
  const counts = { alive: 0, cordoned: 0, draining: 0, lost: 0 };
  for (const proplet of proplets) counts[livenessOf(proplet)] += 1;
  return counts;
}

// The keys by which something is done to workflows and jobs. They are those of `propeller top`, and open the same
// questions as the buttons.

export type Deed = "start" | "stop" | "rerun-failed" | "rerun-all" | "delete";

export type DeedKey = {
  keys: string;
  word: string;
  /** Of these, the first that can be done. */
  wanted: readonly Deed[];
};

export const DEED_KEYS: readonly DeedKey[] = [
  { keys: "s", word: "Start", wanted: ["start", "rerun-all"] },
  { keys: "x", word: "Stop", wanted: ["stop"] },
  { keys: "r", word: "Rerun", wanted: ["rerun-failed", "rerun-all"] },
  { keys: "d", word: "Delete", wanted: ["delete"] },
];

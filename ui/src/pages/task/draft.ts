// A task's inputs while a reader writes others.

import type { Task } from "./task-query";

export type Input = NonNullable<Task["inputs"]>[number];

/** What is being written; the form changes it in place. */
export type Draft = {
  inputs: Input[];
  args: string[];
  /**
   * Give the fields that differ from the task's, as a change of it.
   *
   * @throws Error if an input that would be sent along is no longer what the task has
   */
  changes: () => { inputs?: Input[]; cli_args?: string[] };
};

export function draftOf(task: Pick<Task, "inputs" | "cli_args">): Draft {
  const draft: Draft = {
    inputs: [...(task.inputs ?? [])],
    args: [...(task.cli_args ?? [])],
    changes: () => {
      const hasOtherInputs = !isSame(draft.inputs, task.inputs ?? []);
      if (hasOtherInputs) checkWhole(draft.inputs);
      return {
        ...(hasOtherInputs ? { inputs: draft.inputs } : {}),
        ...(isSame(draft.args, task.cli_args ?? []) ? {} : { cli_args: draft.args }),
      };
    },
  };
  return draft;
}

function isSame(one: unknown, other: unknown): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

/** Say whether a number has lost digits: browsers read whole numbers exactly only up to 2^53. */
export function isInexact(input: Input): boolean {
  return typeof input === "number" && Number.isInteger(input) && !Number.isSafeInteger(input);
}

function checkWhole(inputs: readonly Input[]): void {
  const at = inputs.findIndex(isInexact);
  if (at === -1) return;
  throw new Error(
    `Input ${at + 1} is a number that a browser can't read exactly. Write all of its digits here, so that it is sent as text.`,
  );
}

import { expect, it } from "vitest";
import { draftOf } from "../src/pages/task/draft";

it("sends only what differs", () => {
  const draft = draftOf({ inputs: [1, { from: "a" }], cli_args: null });
  expect(draft.changes()).toEqual({});
  draft.inputs[0] = "2";
  expect(draft.changes()).toEqual({ inputs: ["2", { from: "a" }] });
  draft.args = ["--fast"];
  expect(draft.changes()).toEqual({ inputs: ["2", { from: "a" }], cli_args: ["--fast"] });
});

it("never sends back a number that the browser could not read exactly", () => {
  const draft = draftOf({ inputs: [2 ** 60, 1], cli_args: null });
  expect(draft.changes()).toEqual({});
  draft.inputs[1] = "2";
  expect(() => draft.changes()).toThrow("Input 1");
  draft.inputs[0] = "1152921504606846977";
  expect(draft.changes()).toEqual({ inputs: ["1152921504606846977", "2"] });
});

import { describe, expect, it } from "vitest";
import { guarded, idFrom } from "../src/raw-address";

const IDS = [
  "50%",
  "%2F",
  "%252e",
  "a&b=c",
  "what?x=1",
  "frag#ment",
  "with space",
  "a+b",
  "é😀",
  "'q\"uote<b>",
];

describe("an id in an address", () => {
  it.each(IDS)("is the same once the router has read it: %s", (id) => {
    const path = `/team%20a/ui/tasks/${encodeURIComponent(id)}`;
    const read = decodeURI(guarded(path, "/team%20a/ui"));
    expect(read.slice(0, 11)).toBe("/team a/ui/");
    expect(idFrom(read.split("/").at(-1) ?? "")).toBe(id);
  });
  it.each(IDS)("is the same in a query: %s", (id) => {
    const search = new URLSearchParams({ task: id }).toString();
    expect(new URLSearchParams(decodeURI(guarded(search))).get("task")).toBe(id);
  });
  it("is itself where nobody encoded it", () => expect(idFrom("50%")).toBe("50%"));
});

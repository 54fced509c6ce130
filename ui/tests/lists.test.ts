import { describe, expect, it } from "vitest";
import { newKey } from "../src/api/once";
import { changed } from "../src/parts/address";
import { parted } from "../src/parts/hold";
import { between, marked } from "../src/parts/selection";
import { heights, runsInWords } from "../src/parts/sparkline";
import { forInput, fromInput, midnight, timeOfFilter } from "../src/parts/times";

describe("the address", () => {
  it("keeps what is not changed, and leaves the place in the list", () => {
    expect(changed("state=failed&label=a%3D1&label=b&cursor=x", { name: "n" })).toBe(
      "state=failed&label=a%3D1&label=b&name=n",
    );
  });
  it("takes out what is empty", () => {
    expect(changed("state=failed&name=n", { state: undefined, name: "" })).toBe("");
    expect(changed("label=a&label=b", { label: ["b"] })).toBe("label=b");
  });
  it("writes a place only beside the filters that it belongs to", () => {
    expect(changed("state=failed", { cursor: "c" })).toBe("state=failed&cursor=c");
  });
  it("writes any text", () => expect(changed("", { name: "a&b=<c>\u0000" })).toBe("name=a%26b%3D%3Cc%3E%00"));
});

describe("a selection", () => {
  it("reaches from one row to another, in either direction", () => {
    expect(between(["a", "b", "c", "d"], "d", "b")).toEqual(["b", "c", "d"]);
    expect(between(["a", "b", "c", "d"], "a", "b")).toEqual(["a", "b"]);
  });
  it("is the one row where the other is no longer shown", () => {
    expect(between(["a", "b"], "gone", "b")).toEqual(["b"]);
  });
  it("takes in and leaves out", () => {
    expect([...marked(new Set(["a"]), ["b", "c"], true)]).toEqual(["a", "b", "c"]);
    expect([...marked(new Set(["a", "b"]), ["b", "c"], false)]).toEqual(["a"]);
  });
});

describe("a list that somebody is at", () => {
  const idOf = (id: string): string => id;
  const held = new Set(["c", "b", "a"]);
  it("shows no new rows among those that were there", () => {
    expect(parted(["e", "c", "d", "b", "a"], held, idOf)).toEqual({ shown: ["c", "b", "a"], waiting: 2 });
  });
  it("fills up behind the last one", () => {
    expect(parted(["c", "a", "0"], held, idOf)).toEqual({ shown: ["c", "a", "0"], waiting: 0 });
  });
  it("shows all where nothing is left of what was there, and while nobody is at it", () => {
    expect(parted(["e", "d"], held, idOf)).toEqual({ shown: ["e", "d"], waiting: 0 });
    expect(parted(["e", "c"], null, idOf)).toEqual({ shown: ["e", "c"], waiting: 0 });
  });
});

describe("earlier runs", () => {
  it("are as high as they took long, and never too low to be seen", () => {
    expect(heights([{ state: 3, duration: 10 }, { state: 4, duration: 5 }, { state: 6 }])).toEqual([
      18, 9, 4,
    ]);
    expect(heights([{ state: 0 }])).toEqual([4]);
  });
  it("are said in words", () => {
    expect(runsInWords([{ state: 3, duration: 4 }, { state: 4, duration: 1.2 }, { state: 3 }])).toBe(
      "3 earlier runs: 2 completed, 1 failed; 1.2 s to 4.0 s",
    );
    expect(runsInWords([{ state: 2 }])).toBe("1 earlier run: 1 running");
  });
});

describe("a time to filter by", () => {
  const now = Date.UTC(2026, 0, 31, 12);
  it("is a span that ends now, or exact", () => {
    expect(timeOfFilter("1h", now)).toBe("2026-01-31T11:00:00.000Z");
    expect(timeOfFilter("2026-01-31T10:00:00Z", now)).toBe("2026-01-31T10:00:00.000Z");
  });
  it("is none where it says nothing", () => {
    expect(timeOfFilter("", now)).toBeUndefined();
    expect(timeOfFilter("yesterday", now)).toBeUndefined();
  });
  it("goes through an input and back", () => {
    expect(fromInput(forInput("2026-01-31T10:20:00.000Z"))).toBe("2026-01-31T10:20:00.000Z");
    expect(forInput("no time")).toBe("");
    expect(fromInput("")).toBe("");
  });
  it("knows when the reader's day began", () => {
    const begin = new Date(midnight(now));
    expect([begin.getHours(), begin.getMinutes(), begin.getSeconds()]).toEqual([0, 0, 0]);
    expect(now - begin.getTime()).toBeLessThan(86_400_000);
  });
});

it("makes a new key each time, which the API takes", () => {
  expect(newKey()).toMatch(/^[0-9a-f]{32}$/);
  expect(newKey()).not.toBe(newKey());
});

import { describe, expect, it } from "vitest";
import { ago, bytes, duration, timeOf, visible } from "../src/words";

describe("duration", () => {
  it.each([
    [0, "0 ms"],
    [0.45, "450 ms"],
    [0.9996, "1.0 s"],
    [3.21, "3.2 s"],
    [59.4, "59 s"],
    [59.6, "1 min"],
    [125, "2 min 5 s"],
    [4320, "1 h 12 min"],
    [200_000, "2 d 7 h"],
  ])("says %d s as people do", (seconds, words) => expect(duration(seconds)).toBe(words));
});

it("says how long ago something was, and how far off it is", () => {
  expect(ago(0, 500)).toBe("now");
  expect(ago(0, 65_000)).toBe("1 min ago");
  expect(ago(7_200_000, 0)).toBe("in 2 h");
});

it("says sizes", () => {
  expect(bytes(312)).toBe("312 B");
  expect(bytes(1536)).toBe("1.5 KiB");
  expect(bytes(3 * 1024 ** 3)).toBe("3.0 GiB");
});

it("reads the API's word for no time as none", () => {
  expect(timeOf("0001-01-01T00:00:00Z")).toBe(0);
  expect(timeOf("2026-01-31T12:00:00Z")).toBe(Date.UTC(2026, 0, 31, 12));
});

it("shows control characters as signs", () => {
  expect(visible("a\u0000b\u001b[2J\nc\td\u202e")).toBe("a␀b␛[2J\nc\td\ufffd");
});

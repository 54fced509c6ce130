import { afterEach, describe, expect, it } from "vitest";
import { hearTime, managerNow } from "../src/live/manager-clock";

const AT = Date.parse("2026-11-30T12:00:00Z");
const HOUR = 3_600_000;

afterEach(() => hearTime(new Date().toUTCString()));

describe("the manager's clock", () => {
  it.each([HOUR, -HOUR])("counts where the reader's is off by %d ms", (off) => {
    hearTime("Mon, 30 Nov 2026 12:00:00 GMT", AT + off);
    expect(managerNow(AT + off)).toBe(AT + 500);
  });
  it("does not where they differ by no more than an answer takes", () => {
    hearTime("Mon, 30 Nov 2026 12:00:00 GMT", AT + 1_900);
    expect(managerNow(AT)).toBe(AT);
  });
  it("stays as it was where an answer does not say the time", () => {
    hearTime("Mon, 30 Nov 2026 12:00:00 GMT", AT + HOUR);
    hearTime(null, AT);
    hearTime("soon", AT);
    expect(managerNow(AT + HOUR)).toBe(AT + 500);
  });
});

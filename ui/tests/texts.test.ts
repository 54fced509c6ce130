import { expect, it } from "vitest";
import { beginOf, hexDump, rowsOf, shownAs } from "../src/parts/texts";

it("shows texts as they are, JSON in lines, and bytes as a dump", () => {
  expect(shownAs("30\n")).toMatchObject({ kind: "text", text: "30\n", size: 3 });
  expect(shownAs({ a: [1] })).toMatchObject({ kind: "JSON", text: '{\n  "a": [\n    1\n  ]\n}' });
  expect(shownAs("AGFz", true)).toMatchObject({ kind: "bytes", size: 3 });
});

it("shows a text that should be base64 and is not as it is", () => {
  expect(shownAs("%%", true)).toMatchObject({ kind: "text", text: "%%" });
});

it("dumps bytes in rows of 16", () => {
  const rows = hexDump(new Uint8Array([0, 97, ...new Array(16).fill(255)])).split("\n");
  expect(rows[0]).toMatch(/^00000000 {2}00 61 ff .* {2}\|\.a\.{14}\|$/);
  expect(rows[1]).toMatch(/^00000010 {2}ff ff {2,}\|\.\.\|$/);
});

it("breaks long lines, and no character in two", () => {
  expect(rowsOf("ab\n\ncdef", 3)).toEqual(["ab", "", "cde", "f"]);
  expect(rowsOf("a😀b", 2)).toEqual(["a", "😀", "b"]);
});

it("gives the begin of a text by characters and by lines", () => {
  expect(beginOf("abc", 2, 9)).toBe("ab");
  expect(beginOf("a\nb\nc", 99, 2)).toBe("a\nb");
  expect(beginOf("a\nb", 99, 2)).toBe("a\nb");
});

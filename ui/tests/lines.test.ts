import { expect, it } from "vitest";
import { Lines, matches, type Piece, plain } from "../src/pages/task/lines";

function piece(text: string, more: Partial<Piece> = {}): Piece {
  return {
    attempt: 1,
    proplet_id: "p",
    stream: "stdout",
    offset: 0,
    time: "2026-01-31T12:00:00Z",
    text,
    ...more,
  };
}

function texts(lines: Lines): string[] {
  return lines.all.map((line) => line.note ?? line.text);
}

it("puts lines together from pieces of them, also where another stream writes between", () => {
  const lines = new Lines();
  lines.add([piece("a"), piece("!\n", { stream: "stderr" }), piece("b\n\nc")]);
  expect(texts(lines)).toEqual(["ab", "!", "", "c"]);
});

it("breaks a line that is too long, and goes on in its last part", () => {
  const lines = new Lines(true, { linesMax: 9, charsMax: 99, lineCharsMax: 3 });
  lines.add([piece("abcd"), piece("ef"), piece("g\n")]);
  expect(texts(lines)).toEqual(["abc", "def", "g"]);
  expect(lines.all.map((line) => line.isContinued)).toEqual([false, true, true]);
});

it("keeps the last lines only, and counts the others", () => {
  const lines = new Lines(true, { linesMax: 10, charsMax: 1_000, lineCharsMax: 100 });
  const gone = lines.add(Array.from({ length: 50 }, (_, at) => piece(`${at}\n`)));
  expect(gone).toBe(0);
  expect(lines.passedOver).toBe(39);
  expect(texts(lines)[0]).toBe("39");
});

it("takes apart no more of what comes at once than it keeps, and leaves no gap", () => {
  const lines = new Lines(true, { linesMax: 10, charsMax: 1_000, lineCharsMax: 100 });
  lines.add([piece("old\n")]);
  const gone = lines.add([piece("0\n".repeat(30)), piece("1\n".repeat(9)), piece("2\n".repeat(2))]);
  expect(gone).toBe(1);
  expect(lines.passedOver).toBe(31);
  expect(texts(lines)).toEqual([..."11111111122"]);
});

it("keeps so many characters only", () => {
  const lines = new Lines(true, { linesMax: 1_000, charsMax: 100, lineCharsMax: 10 });
  lines.add([piece("x".repeat(10_000))]);
  expect(lines.all.length).toBe(10);
});

it("says how much was written before what it has, and where the logs were cut", () => {
  const lines = new Lines(true);
  lines.add([piece("a\n", { offset: 100 }), piece("b", { offset: 102, cut: true })]);
  expect(lines.bytesBefore).toBe(100);
  expect(texts(lines)).toEqual(["a", "b", "more of stdout was not kept"]);
});

it("marks where an attempt begins", () => {
  const lines = new Lines();
  lines.add([piece("a\n"), piece("b\n", { attempt: 2 })]);
  expect(texts(lines)).toEqual(["a", "attempt 2", "b"]);
});

it("finds lines without regard to case", () => {
  const lines = new Lines(true);
  lines.add([piece("Error: no\nfine\nan ERROR\n")]);
  expect(matches(lines.all, "error")).toEqual([0, 2]);
  expect(matches(lines.all, "")).toEqual([]);
});

it("leaves out what colours a line in a terminal", () => {
  expect(plain("\u001b[31mred\u001b[0m\r")).toBe("red");
});

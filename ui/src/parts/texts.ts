// Results and inputs as texts: any JSON, text, or bytes as base64, whatever their size.

export type Shown = {
  kind: "text" | "JSON" | "bytes";
  /** What people read: the text, formatted JSON, or a hex dump. */
  text: string;
  /** In bytes, as it is stored. */
  size: number;
  /** What a download has in it. */
  file: string | Uint8Array<ArrayBuffer>;
};

/** Bytes in a row of a hex dump. */
const ROW_BYTES = 16;

/** Say how a value is shown. With `isBase64`, a text stands for bytes; one that is no base64 is shown as it is. */
export function shownAs(value: unknown, isBase64 = false): Shown {
  if (typeof value === "string" && isBase64) {
    const data = decoded(value);
    if (data !== null) return { kind: "bytes", text: hexDump(data), size: data.length, file: data };
  }
  if (typeof value === "string") return { kind: "text", text: value, size: sizeOf(value), file: value };
  const text = JSON.stringify(value, null, 2) ?? "null";
  return { kind: "JSON", text, size: sizeOf(text), file: text };
}

function sizeOf(text: string): number {
  return new TextEncoder().encode(text).length;
}

function decoded(base64: string): Uint8Array<ArrayBuffer> | null {
  try {
    return Uint8Array.from(atob(base64), (one) => one.charCodeAt(0));
  } catch {
    return null;
  }
}

/** Show bytes as people look at them: `00000010  61 62 …  |ab…|`. */
export function hexDump(data: Uint8Array): string {
  const rows: string[] = [];
  for (let at = 0; at < data.length; at += ROW_BYTES) {
    const row = data.subarray(at, at + ROW_BYTES);
    const hex = Array.from(row, (byte) => byte.toString(16).padStart(2, "0")).join(" ");
    const plain = Array.from(row, (byte) => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : "."));
    rows.push(`${at.toString(16).padStart(8, "0")}  ${hex.padEnd(ROW_BYTES * 3 - 1)}  |${plain.join("")}|`);
  }
  return rows.join("\n");
}

/** Break a text into rows of at most so many characters, at its line breaks and, where a line is longer, within it. */
export function rowsOf(text: string, charsMax: number): string[] {
  const rows: string[] = [];
  for (const line of text.split("\n")) {
    for (let at = 0; at === 0 || at < line.length; ) {
      let end = Math.min(at + charsMax, line.length);
      if (end < line.length && isHighSurrogate(line.charCodeAt(end - 1))) end -= 1;
      rows.push(line.slice(at, end));
      at = Math.max(end, at + 1);
    }
  }
  return rows;
}

function isHighSurrogate(code: number): boolean {
  return code >= 0xd800 && code < 0xdc00;
}

/** Give the begin of a text: at most so many characters and lines. */
export function beginOf(text: string, charsMax: number, linesMax: number): string {
  let end = Math.min(text.length, charsMax);
  let lines = 0;
  for (let at = text.indexOf("\n"); at !== -1 && at < end; at = text.indexOf("\n", at + 1)) {
    lines += 1;
    if (lines === linesMax) end = at;
  }
  return text.slice(0, end);
}

// The last lines of a task's logs. Pieces come in as the API sends them, and what is kept is bounded.

import type { Shapes } from "../../api/client";
import { rowsOf } from "../../parts/texts";

export type Piece = Pick<
  Shapes["LogView"],
  "attempt" | "proplet_id" | "stream" | "offset" | "time" | "text" | "cut"
>;

export type Line = {
  attempt: number;
  propletId: string;
  stream: "stdout" | "stderr";
  /** When it was written, ms since the epoch. */
  at: number;
  text: string;
  /** It goes on from the line before it, which was too long for one. */
  isContinued: boolean;
  /** Words of the page in place of a line. */
  note?: string;
};

export type Bounds = { linesMax: number; charsMax: number; lineCharsMax: number };

export const BOUNDS: Bounds = { linesMax: 20_000, charsMax: 8_000_000, lineCharsMax: 1_000 };

/** Trimmed in steps of this part of the bounds, so that not each line costs a move of all. */
const STEP = 0.1;

export class Lines {
  readonly all: Line[] = [];
  /** How many lines were kept and are no longer. */
  passedOver = 0;
  /** How much was written before the first piece that came, in bytes, over all streams. */
  bytesBefore = 0;
  /** Lines whose end has not come yet, by attempt, proplet and stream. */
  private readonly open = new Map<string, Line>();
  private readonly known = new Set<string>();
  private chars = 0;
  private attempt = 0;

  constructor(
    private readonly isOfMany = false,
    private readonly bounds = BOUNDS,
  ) {}

  /** Take in pieces; give how many lines at the front were let go. */
  add(pieces: readonly Piece[]): number {
    const first = firstKept(pieces, this.bounds);
    let gone = 0;
    if (first > 0) {
      // What comes fills all there is room for, so none of the lines before it stays.
      gone = this.all.length;
      this.all.length = 0;
      this.chars = 0;
      this.open.clear();
      this.passedOver += gone;
    }
    for (const piece of pieces.slice(0, first)) {
      this.know(piece);
      this.passedOver += endsIn(piece.text);
    }
    for (const piece of pieces.slice(first)) this.take(piece);
    return gone + this.trim();
  }

  private know(piece: Piece): string {
    const key = `${piece.attempt} ${piece.stream} ${piece.proplet_id}`;
    if (!this.known.has(key)) {
      this.known.add(key);
      this.bytesBefore += piece.offset;
    }
    return key;
  }

  private take(piece: Piece): void {
    const key = this.know(piece);
    // The executions of a broadcast write at the same time, each as its own attempt.
    if (!this.isOfMany && piece.attempt !== this.attempt) {
      const isOnlyOne = this.attempt === 0 && piece.attempt === 1;
      this.attempt = piece.attempt;
      if (!isOnlyOne) this.push(this.lineOf(piece, "", false, `attempt ${piece.attempt}`));
    }
    const texts = piece.text.split("\n");
    for (const [at, text] of texts.entries()) {
      const isLast = at === texts.length - 1;
      if (!(isLast && text === "")) this.extend(key, piece, text);
      if (!isLast) {
        // An empty line is one too.
        if (text === "" && !this.open.has(key)) this.push(this.lineOf(piece, "", false));
        this.open.delete(key);
      }
    }
    if (piece.cut) {
      this.open.delete(key);
      this.push(this.lineOf(piece, "", false, `more of ${piece.stream} was not kept`));
    }
  }

  private extend(key: string, piece: Piece, text: string): void {
    if (text === "") return;
    const open = this.open.get(key);
    const [first = "", ...rest] = rowsOf((open?.text ?? "") + text, this.bounds.lineCharsMax);
    let last = open;
    if (last) {
      this.chars += first.length - last.text.length;
      last.text = first;
    } else {
      last = this.push(this.lineOf(piece, first, false));
    }
    for (const row of rest) last = this.push(this.lineOf(piece, row, true));
    this.open.set(key, last);
  }

  private lineOf(piece: Piece, text: string, isContinued: boolean, note?: string): Line {
    return {
      attempt: piece.attempt,
      propletId: piece.proplet_id,
      stream: piece.stream,
      at: Date.parse(piece.time),
      text,
      isContinued,
      ...(note === undefined ? {} : { note }),
    };
  }

  private push(line: Line): Line {
    this.all.push(line);
    this.chars += line.text.length;
    return line;
  }

  private trim(): number {
    const { linesMax, charsMax } = this.bounds;
    const isOver = this.all.length > linesMax * (1 + STEP) || this.chars > charsMax * (1 + STEP);
    if (!isOver) return 0;
    let gone = 0;
    let chars = this.chars;
    while (this.all.length - gone > linesMax || chars > charsMax) {
      chars -= this.all[gone]?.text.length ?? 0;
      gone += 1;
    }
    this.all.splice(0, gone);
    this.chars = chars;
    this.passedOver += gone;
    return gone;
  }
}

/** Give the first of the pieces that has lines to keep: those before it are more than there is room for. */
function firstKept(pieces: readonly Piece[], { linesMax, charsMax }: Bounds): number {
  let lines = 0;
  let chars = 0;
  for (let at = pieces.length - 1; at > 0; at -= 1) {
    const text = pieces[at]?.text ?? "";
    lines += endsIn(text);
    chars += text.length;
    if (lines > linesMax || chars > charsMax) return at;
  }
  return 0;
}

/** Count the ends of lines in a text, which costs far less than to take it apart. */
function endsIn(text: string): number {
  let count = 0;
  for (let at = text.indexOf("\n"); at !== -1; at = text.indexOf("\n", at + 1)) count += 1;
  return count;
}

const COLOUR = new RegExp(`${String.fromCharCode(27)}\\[[0-9;]*m`, "g");

/** Give a line without what colours it in a terminal and without the end of a line of Windows. */
export function plain(text: string): string {
  return text.replace(COLOUR, "").replace(/\r$/, "");
}

/** Give the places of the lines that have a text in them, without regard to case. */
export function matches(lines: readonly Line[], wanted: string): number[] {
  const small = wanted.toLowerCase();
  if (!small) return [];
  return lines.flatMap((line, at) => (line.text.toLowerCase().includes(small) ? [at] : []));
}

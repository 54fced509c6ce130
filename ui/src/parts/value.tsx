// A value that a user or a guest gave: shown as text, cut where it is long, and all of it on demand.

import { useVirtualizer } from "@tanstack/react-virtual";
import { type ReactNode, useMemo, useRef, useState } from "react";
import { Button } from "react-aria-components";
import { bytes, visible } from "../words";
import { CopyButton } from "./copy";
import { download } from "./download";
import { beginOf, rowsOf, shownAs } from "./texts";
import "./value.css";

export type ValueProps = {
  value: unknown;
  /** True if the value is base64 of bytes. */
  isBase64?: boolean;
  /** What it is, such as "Result"; also the begin of a downloaded file's name. */
  name: string;
  /** So many lines are shown before the rest is asked for. */
  linesMax?: number;
};

const CHARS_SHOWN_MAX = 2_000;
const LINES_SHOWN_MAX = 16;
/** A row of the whole text has at most so many characters, so that no row is slow to draw. */
const ROW_CHARS_MAX = 400;
const ROW_PX = 18;
/** Larger ones are for a download, and not for the clipboard. */
const COPIED_CHARS_MAX = 1_000_000;

export function Value({ value, isBase64 = false, name, linesMax = LINES_SHOWN_MAX }: ValueProps): ReactNode {
  const shown = useMemo(() => shownAs(value, isBase64), [value, isBase64]);
  const begin = useMemo(() => beginOf(shown.text, CHARS_SHOWN_MAX, linesMax), [shown, linesMax]);
  const [isWhole, setWhole] = useState(false);
  const isCut = begin.length < shown.text.length;
  if (shown.size === 0) return <span className="quiet">empty text</span>;
  return (
    <div className="value">
      {isWhole && isCut ? (
        <Rows text={shown.text} name={name} />
      ) : (
        <pre className="value-text">
          {visible(begin)}
          {isCut && "…"}
        </pre>
      )}
      <div className="value-foot">
        <span className="quiet number">
          {shown.kind}, {bytes(shown.size)}
        </span>
        {isCut && (
          <Button className="quiet-button" aria-expanded={isWhole} onPress={() => setWhole(!isWhole)}>
            {isWhole ? "Show less" : "Show all"}
          </Button>
        )}
        {shown.text.length <= COPIED_CHARS_MAX && <CopyButton text={shown.text} what={name} />}
        {(isCut || shown.kind === "bytes") && (
          <Button
            className="quiet-button"
            onPress={() => download(`${name}.${EXTENSIONS[shown.kind]}`, [shown.file])}
          >
            Download
          </Button>
        )}
      </div>
    </div>
  );
}

const EXTENSIONS = { text: "txt", JSON: "json", bytes: "bin" } as const;

/** All of a long text: only the rows that are seen are drawn. */
function Rows({ text, name }: { text: string; name: string }): ReactNode {
  const rows = useMemo(() => rowsOf(text, ROW_CHARS_MAX), [text]);
  const place = useRef<HTMLElement>(null);
  const list = useVirtualizer({
    count: rows.length,
    getScrollElement: () => place.current,
    estimateSize: () => ROW_PX,
    overscan: 20,
  });
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls is reached by keys
    <section className="value-rows" ref={place} tabIndex={0} aria-label={`${name}, the whole text`}>
      <div style={{ height: list.getTotalSize(), position: "relative" }}>
        {list.getVirtualItems().map((row) => (
          <div key={row.key} className="value-row" style={{ transform: `translateY(${row.start}px)` }}>
            {visible(rows[row.index] ?? "")}
          </div>
        ))}
      </div>
    </section>
  );
}

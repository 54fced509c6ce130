import type { ReactNode } from "react";
import { utc, visible } from "../../words";
import { type Line, plain } from "./lines";

const CLOCK = new Intl.DateTimeFormat(undefined, {
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  hourCycle: "h23",
});

export type LogRowProps = {
  line: Line;
  top: number;
  sought: string;
  isCurrent: boolean;
  hasProplet: boolean;
};

export function LogRow({ line, top, sought, isCurrent, hasProplet }: LogRowProps): ReactNode {
  const style = { transform: `translateY(${top}px)` };
  if (line.note !== undefined) {
    return (
      <div className="log-row log-note" style={style}>
        {line.note}
      </div>
    );
  }
  return (
    <div
      className="log-row"
      style={style}
      data-stream={line.stream}
      data-current={isCurrent || undefined}
      title={`${utc(line.at)}, ${line.stream}, attempt ${line.attempt}, proplet ${line.propletId}`}
    >
      <span className="log-time">{line.isContinued ? "↪" : CLOCK.format(line.at)}</span>
      <span className="log-stream">{line.stream === "stderr" ? "err" : "out"}</span>
      {hasProplet && <span className="log-time">{line.propletId.slice(0, 8)}</span>}
      <span>{marked(visible(plain(line.text)), sought)}</span>
    </div>
  );
}

/** Mark where a text is found in a line. */
function marked(text: string, sought: string): ReactNode {
  if (!sought) return text;
  const small = text.toLowerCase();
  const wanted = sought.toLowerCase();
  const parts: ReactNode[] = [];
  let done = 0;
  for (let at = small.indexOf(wanted); at !== -1; at = small.indexOf(wanted, done)) {
    parts.push(text.slice(done, at), <mark key={at}>{text.slice(at, at + wanted.length)}</mark>);
    done = at + wanted.length;
  }
  return [...parts, text.slice(done)];
}

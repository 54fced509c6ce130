// A plain editor: numbered lines, marks at those with mistakes.

import { type ReactNode, type Ref, useImperativeHandle, useMemo, useRef } from "react";
import { rangeOfLine } from "./editor-lines";
import "./editor.css";

/** What others do with an editor. */
export type EditorHandle = {
  /** Put the cursor on a line, and show it. */
  goTo: (line: number) => void;
};

const LINE_PX = 20;
const LINES_MIN = 18;

export function Editor(props: {
  ref: Ref<EditorHandle>;
  label: string;
  value: string;
  onChange: (value: string) => void;
  /** Lines with mistakes, from 1. */
  wrong: ReadonlySet<number>;
  placeholder: string;
  describedBy?: string | undefined;
}): ReactNode {
  const { value, wrong } = props;
  const area = useRef<HTMLTextAreaElement>(null);
  const place = useRef<HTMLDivElement>(null);
  const lines = useMemo(() => value.split("\n").length, [value]);
  useImperativeHandle(props.ref, () => ({
    goTo: (line) => {
      const [field, frame] = [area.current, place.current];
      if (field === null || frame === null) return;
      const [start, end] = rangeOfLine(field.value, line);
      field.focus({ preventScroll: true });
      field.setSelectionRange(start, end);
      frame.scrollTop = (line - 4) * LINE_PX;
      frame.scrollIntoView({ block: "nearest" });
    },
  }));
  const numbers = useMemo(() => Array.from({ length: lines }, (_, at) => at + 1).join("\n"), [lines]);
  return (
    <div className="editor" ref={place}>
      <div className="editor-page" style={{ height: Math.max(lines, LINES_MIN) * LINE_PX + 16 }}>
        {[...wrong]
          .filter((line) => line > 0)
          .map((line) => (
            <span key={line} className="editor-mark" style={{ top: 8 + (line - 1) * LINE_PX }} />
          ))}
        <pre className="editor-numbers" aria-hidden="true">
          {numbers}
        </pre>
        <textarea
          ref={area}
          className="editor-text"
          aria-label={props.label}
          aria-invalid={wrong.size > 0 || undefined}
          aria-describedby={props.describedBy}
          value={value}
          placeholder={props.placeholder}
          spellCheck={false}
          autoCapitalize="off"
          autoComplete="off"
          wrap="off"
          onChange={({ target }) => props.onChange(target.value)}
        />
      </div>
    </div>
  );
}

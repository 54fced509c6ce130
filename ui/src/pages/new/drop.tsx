// A place for files: drop them on it, or choose them by pointer or keys.

import { type ReactNode, useId, useState } from "react";
import "./drop.css";

type DropProps = {
  /** The name of the control. */
  label: string;
  /** Such as `.wasm,.wat`. */
  accept: string;
  isMultiple?: boolean;
  onFiles: (files: File[]) => void;
  children: ReactNode;
};

export function Drop({ label, accept, isMultiple = false, onFiles, children }: DropProps): ReactNode {
  const id = useId();
  const [isOver, setOver] = useState(false);
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: dropping is a second way; the field within takes keys and pointers
    <div
      className="drop"
      data-over={isOver || undefined}
      onDragOver={(event) => {
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={() => setOver(false)}
      onDrop={(event) => {
        event.preventDefault();
        setOver(false);
        const files = [...event.dataTransfer.files];
        if (files.length > 0) onFiles(isMultiple ? files : files.slice(0, 1));
      }}
    >
      <input
        id={id}
        type="file"
        className="drop-input"
        aria-label={label}
        accept={accept}
        multiple={isMultiple}
        onChange={({ target }) => {
          const files = [...(target.files ?? [])];
          // So that the same file can be chosen again after it has changed.
          target.value = "";
          if (files.length > 0) onFiles(files);
        }}
      />
      <label htmlFor={id}>{children}</label>
    </div>
  );
}

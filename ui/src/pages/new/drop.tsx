// A place for files: drop them on it, or choose them by pointer or keys.

import { type DragEvent, type ReactNode, useId, useState } from "react";
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

/**
 * Take files that are dropped on an element. A browser would leave the page and open a file that nobody takes, so a form
 * takes all that are dropped anywhere on it.
 */
export function useDrop(
  onFiles: (files: File[]) => void,
): [isOver: boolean, handlers: Record<"onDragOver" | "onDragLeave" | "onDrop", (event: DragEvent) => void>] {
  const [isOver, setOver] = useState(false);
  return [
    isOver,
    {
      onDragOver: (event) => {
        if (!event.dataTransfer.types.includes("Files")) return;
        event.preventDefault();
        setOver(true);
      },
      onDragLeave: () => setOver(false),
      onDrop: (event) => {
        const files = [...event.dataTransfer.files];
        if (files.length === 0) return;
        event.preventDefault();
        event.stopPropagation();
        setOver(false);
        onFiles(files);
      },
    },
  ];
}

export function Drop({ label, accept, isMultiple = false, onFiles, children }: DropProps): ReactNode {
  const id = useId();
  const [isOver, handlers] = useDrop(onFiles);
  return (
    <div className="drop" data-over={isOver || undefined} {...handlers}>
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

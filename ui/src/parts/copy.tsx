import { type ReactNode, useEffect, useState } from "react";
import { Button } from "react-aria-components";

/** Copy a text; browsers give `navigator.clipboard` to https and to this machine only. */
async function copied(text: string): Promise<boolean> {
  if (navigator.clipboard) {
    return navigator.clipboard.writeText(text).then(
      () => true,
      () => false,
    );
  }
  const field = document.createElement("textarea");
  field.value = text;
  field.className = "only-read";
  document.body.append(field);
  field.select();
  const isDone = document.execCommand("copy");
  field.remove();
  return isDone;
}

/** A button that copies, and says that it has. */
export function CopyButton({ text, what }: { text: string; what: string }): ReactNode {
  const [said, setSaid] = useState("");
  useEffect(() => {
    if (!said) return;
    const timer = setTimeout(() => setSaid(""), 1_500);
    return () => clearTimeout(timer);
  }, [said]);
  return (
    <Button
      className="quiet-button"
      aria-label={said || `Copy ${what}`}
      onPress={() => void copied(text).then((isDone) => setSaid(isDone ? "Copied" : "Not copied"))}
    >
      {said || "Copy"}
    </Button>
  );
}

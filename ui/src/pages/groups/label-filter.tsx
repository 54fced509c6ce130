import { type ReactNode, useState } from "react";
import { useAddress } from "../../parts/address";
import { ChosenFilter } from "../../parts/filters";

/** Labels that all must have: a field for one more, and those that are asked for. */
export function LabelFilter(): ReactNode {
  const address = useAddress();
  const [text, setText] = useState("");
  const labels = address.all("label");
  const add = (): void => {
    const next = text.trim();
    setText("");
    if (next && !labels.includes(next)) address.change({ label: [...labels, next] });
  };
  return (
    <form
      className="filter-labels"
      onSubmit={(event) => {
        event.preventDefault();
        add();
      }}
    >
      <input
        className="field"
        aria-label="Label: key=value, or key"
        placeholder="Label: key=value"
        value={text}
        size={16}
        onChange={(event) => setText(event.target.value)}
        onBlur={add}
        spellCheck={false}
        autoComplete="off"
      />
      {labels.map((label) => (
        <ChosenFilter
          key={label}
          text={label}
          onRemove={() => address.change({ label: labels.filter((one) => one !== label) })}
        />
      ))}
    </form>
  );
}

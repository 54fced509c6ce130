// Fields of a form, each with what is wrong with it below it.

import { createContext, type ReactNode, useContext, useId } from "react";
import { visible } from "../../words";
import { errorsAt, type FieldErrors } from "./field-errors";
import "./field.css";

/** What is wrong, by field, and which fields the form shows. */
export const Errors = createContext<{ errors: FieldErrors; shown: readonly string[] }>({
  errors: {},
  shown: [],
});

type FieldProps = {
  /** As the API names it. */
  name: string;
  label: string;
  /** Beside the label, such as a type. */
  note?: string;
  hint?: ReactNode;
  value: string;
  onChange: (value: string) => void;
  placeholder?: string | undefined;
  /** A text of several lines. */
  lines?: number;
  options?: readonly string[];
  suggestions?: readonly string[];
  inputMode?: "numeric" | "decimal";
  isMono?: boolean;
};

export function Field(props: FieldProps): ReactNode {
  const { name, label, note, hint, value, onChange } = props;
  const id = useId();
  const { errors, shown } = useContext(Errors);
  const wrong = errorsAt(name, errors, shown);
  const described = [hint ? `${id}-hint` : "", wrong.length > 0 ? `${id}-wrong` : ""].join(" ").trim();
  const attributes = {
    id,
    name,
    value,
    className: props.isMono ? "field mono" : "field",
    "aria-invalid": wrong.length > 0 || undefined,
    "aria-describedby": described || undefined,
    spellCheck: false,
    autoComplete: "off",
    placeholder: props.placeholder,
    onChange: ({ target }: { target: { value: string } }) => onChange(target.value),
  };
  return (
    <div className="form-field">
      <label htmlFor={id}>
        {visible(label)} {note && <span className="quiet mono">{visible(note)}</span>}
      </label>
      {props.lines ? (
        <textarea {...attributes} rows={Math.min(10, Math.max(props.lines, value.split("\n").length))} />
      ) : props.options ? (
        <select {...attributes}>
          {props.options.map((option) => (
            <option key={option} value={option}>
              {option === "" ? "choose …" : visible(option)}
            </option>
          ))}
        </select>
      ) : (
        <input {...attributes} inputMode={props.inputMode} list={props.suggestions && `${id}-list`} />
      )}
      {props.suggestions && (
        <datalist id={`${id}-list`}>
          {props.suggestions.map((one) => (
            <option key={one} value={one} />
          ))}
        </datalist>
      )}
      {hint && (
        <span className="form-hint" id={`${id}-hint`}>
          {hint}
        </span>
      )}
      <FieldProblems id={`${id}-wrong`} texts={wrong} />
    </div>
  );
}

function FieldProblems({ id, texts }: { id: string; texts: readonly string[] }): ReactNode {
  if (texts.length === 0) return null;
  return (
    <span className="form-wrong" id={id} data-wrong>
      {texts.map((text) => (
        <span key={text}>{visible(text)}</span>
      ))}
    </span>
  );
}

/** What is wrong with a part of a form that is no field of text. */
export function ProblemsAt({ name }: { name: string }): ReactNode {
  const { errors, shown } = useContext(Errors);
  return <FieldProblems id={`wrong-${name}`} texts={errorsAt(name, errors, shown)} />;
}

export function Check(props: {
  name: string;
  label: string;
  hint?: string;
  isOn: boolean;
  onChange: (isOn: boolean) => void;
}): ReactNode {
  return (
    <div className="form-check">
      <label>
        <input
          type="checkbox"
          name={props.name}
          checked={props.isOn}
          onChange={({ target }) => props.onChange(target.checked)}
        />
        <span>
          {props.label} {props.hint && <span className="form-hint">{props.hint}</span>}
        </span>
      </label>
      <ProblemsAt name={props.name} />
    </div>
  );
}

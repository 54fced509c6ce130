// What of the module runs, and with what: a function with its inputs, or a program with its arguments.

import type { ReactNode } from "react";
import { Field } from "./field";
import { signatureOf } from "./module-part";
import { functionOf, isProgram, type ModuleView, nameOf, type TaskDraft } from "./task-draft";
import { isUnsigned } from "./values";

export type Change = (changes: Partial<TaskDraft>) => void;

export function TaskCall({
  draft,
  module,
  onChange,
}: {
  draft: TaskDraft;
  module: ModuleView | null;
  onChange: Change;
}): ReactNode {
  if (draft.source === "image") return <UnknownCall draft={draft} onChange={onChange} />;
  if (module === null) return null;
  if (isProgram(module))
    return <Program draft={draft} isServer={module.kind === "component-http"} onChange={onChange} />;
  const chosen = functionOf(draft, module);
  const names = module.functions.map(({ name }) => name);
  const name = nameOf(draft, module);
  return (
    <>
      {names.length > 0 ? (
        <Field
          name="name"
          label="Function"
          value={name}
          options={name === "" ? ["", ...names] : names}
          onChange={(value) => onChange({ name: value, inputs: [] })}
          hint={chosen && <code>{signatureOf(chosen)}</code>}
          isMono
        />
      ) : (
        <Field
          name="name"
          label="Function"
          value={draft.name}
          onChange={(value) => onChange({ name: value })}
          hint="The module exports no function that can be called here."
          isMono
        />
      )}
      {chosen && chosen.params.length > 0 && (
        <fieldset className="new-inputs">
          <legend>Inputs</legend>
          <div className="form-grid">
            {chosen.params.map((param, place) => (
              <Field
                key={place}
                name={`inputs[${place}]`}
                label={param.name || `Input ${place + 1}`}
                note={param.type}
                value={draft.inputs[place] ?? ""}
                placeholder={param.type === "string" ? undefined : param.example}
                onChange={(value) => onChange({ inputs: withValue(draft.inputs, place, value) })}
                isMono
                {...(param.type === "bool" ? { options: ["", "true", "false"] } : {})}
                {...(isUnsigned(param.type) ? { inputMode: "numeric" as const } : {})}
              />
            ))}
          </div>
        </fieldset>
      )}
      {chosen && chosen.params.length === 0 && <p className="quiet">It takes no inputs.</p>}
    </>
  );
}

function withValue(inputs: readonly string[], place: number, value: string): string[] {
  const next = Array.from({ length: Math.max(inputs.length, place + 1) }, (_, at) => inputs[at] ?? "");
  next[place] = value;
  return next;
}

function Program(props: { draft: TaskDraft; isServer: boolean; onChange: Change }): ReactNode {
  const { draft, isServer, onChange } = props;
  return (
    <>
      <p className="quiet">
        {isServer
          ? "It answers HTTP requests until it is stopped; a task that is a daemon is started anew when it crashes."
          : "It is a program: it runs from its beginning, and its output is the result."}
      </p>
      {!isServer && <Arguments draft={draft} onChange={onChange} />}
      <EnvField draft={draft} onChange={onChange} />
    </>
  );
}

function Arguments({ draft, onChange }: { draft: TaskDraft; onChange: Change }): ReactNode {
  return (
    <>
      <Field
        name="cli_args"
        label="Arguments"
        hint="One in each line"
        lines={2}
        value={draft.args}
        onChange={(args) => onChange({ args })}
        isMono
      />
      <Field
        name="stdin"
        label="Standard input"
        lines={2}
        value={draft.stdin}
        onChange={(stdin) => onChange({ stdin })}
        isMono
      />
    </>
  );
}

export function EnvField({ draft, onChange }: { draft: TaskDraft; onChange: Change }): ReactNode {
  return (
    <Field
      name="env"
      label="Environment"
      hint="KEY=VALUE, one in each line"
      lines={2}
      value={draft.env}
      onChange={(env) => onChange({ env })}
      isMono
    />
  );
}

/** The manager knows the module of an image only when a proplet has fetched it. */
function UnknownCall({ draft, onChange }: { draft: TaskDraft; onChange: Change }): ReactNode {
  return (
    <>
      <Field
        name="name"
        label="Function"
        hint="The exported function to run; _start for a program"
        value={draft.name}
        placeholder="main"
        onChange={(name) => onChange({ name })}
        isMono
      />
      <Field
        name="inputs"
        label="Inputs"
        hint="One in each line"
        lines={2}
        value={draft.freeInputs}
        onChange={(freeInputs) => onChange({ freeInputs })}
        isMono
      />
      <Arguments draft={draft} onChange={onChange} />
      <EnvField draft={draft} onChange={onChange} />
    </>
  );
}

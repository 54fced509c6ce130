// A form for the inputs of a task, typed by the parameters of its module where these are known.

import { type ReactNode, useState } from "react";
import { Button } from "react-aria-components";
import { visible } from "../../words";
import { isUnsigned } from "../new/values";
import type { Draft, Input } from "./draft";
import { type ModuleOf, useModule } from "./module";
import type { Task } from "./task-query";

export function EditForm({ task, draft }: { task: Task; draft: { current: Draft } }): ReactNode {
  const { data } = useModule(task);
  const params = data?.functions.find((one) => one.name === task.name)?.params ?? [];
  const [, setVersion] = useState(0);
  const change = (act: (draft: Draft) => void): void => {
    act(draft.current);
    setVersion((before) => before + 1);
  };
  const { inputs, args } = draft.current;
  const rows = Math.max(inputs.length, params.length);
  return (
    <div className="edit-form">
      <p>
        The task runs again as its next attempt with what you write here. Its past attempts stay in its
        history.
      </p>
      {rows > 0 && <h3>Inputs</h3>}
      {Array.from({ length: rows }, (_, at) => (
        <InputField
          key={at}
          place={at}
          input={inputs[at] ?? ""}
          param={params[at]}
          onChange={(input) =>
            change(({ inputs: all }) => {
              while (all.length < at) all.push("");
              all[at] = input;
            })
          }
        />
      ))}
      {params.length === 0 && (
        <div className="edit-row">
          <Button className="quiet-button" onPress={() => change(({ inputs: all }) => all.push(""))}>
            Add an input
          </Button>
          {inputs.length > 0 && (
            <Button className="quiet-button" onPress={() => change(({ inputs: all }) => all.pop())}>
              Take out the last one
            </Button>
          )}
        </div>
      )}
      {(args.length > 0 || isProgram(data)) && (
        <label className="edit-field">
          <span>Arguments, one in each line</span>
          <textarea
            className="field mono"
            rows={Math.min(8, args.length + 1)}
            defaultValue={args.join("\n")}
            onChange={({ target }) =>
              change((now) => {
                now.args = target.value === "" ? [] : target.value.split("\n");
              })
            }
          />
        </label>
      )}
    </div>
  );
}

function isProgram(module: ModuleOf | undefined): boolean {
  return module?.kind === "command" || module?.kind === "component-command";
}

type InputFieldProps = {
  place: number;
  input: Input;
  param: { name: string; type: string; example: string } | undefined;
  onChange: (input: Input) => void;
};

function InputField({ place, input, param, onChange }: InputFieldProps): ReactNode {
  const label = param?.name ? visible(param.name) : `Input ${place + 1}`;
  const isFromParent = typeof input === "object";
  return (
    <label className="edit-field">
      <span>
        {label} <span className="quiet mono">{param && visible(param.type)}</span>
        {isFromParent && <span className="quiet"> the result of a parent, by its id</span>}
      </span>
      <input
        className="field mono"
        value={isFromParent ? input.from : String(input)}
        placeholder={param?.example}
        inputMode={param && isUnsigned(param.type) ? "numeric" : "text"}
        spellCheck={false}
        onChange={({ target }) => onChange(isFromParent ? { from: target.value } : target.value)}
      />
    </label>
  );
}

// The first thing to see of a task: what it returned, what it got, and whom it depends on.

import type { ReactNode } from "react";
import { Fact, Facts } from "../../parts/facts";
import { PropletLink } from "../../parts/proplet-link";
import { Time } from "../../parts/time";
import { Value } from "../../parts/value";
import { hasEnded } from "../../states";
import { count, timeOf, visible } from "../../words";
import { isInexact } from "./draft";
import { Family, type Select } from "./family";
import type { Task } from "./task-query";

/** More inputs than this are shown as one value. */
const INPUTS_SHOWN_MAX = 20;

export function Summary({ task, ...select }: { task: Task } & Select): ReactNode {
  return (
    <div className="stack summary">
      <section>
        <h2 className="part-title">Result</h2>
        <Result task={task} />
      </section>
      <Inputs task={task} />
      <Family task={task} {...select} />
      <section>
        <h2 className="part-title">Times</h2>
        <Facts>
          <Fact name="Created">
            <Time at={timeOf(task.created_at)} />
          </Fact>
          <Fact name="Started">
            <Time at={timeOf(task.start_time)} />
          </Fact>
          <Fact name="Ended">
            <Time at={timeOf(task.finish_time)} />
          </Fact>
          {timeOf(task.next_run) > 0 && (
            <Fact name="Next run">
              <Time at={timeOf(task.next_run)} />
            </Fact>
          )}
          {task.proplet_id && (
            <Fact name="Proplet">
              <PropletLink id={task.proplet_id} />
              {task.pinned_to && <span className="quiet"> it was asked for</span>}
            </Fact>
          )}
        </Facts>
      </section>
    </div>
  );
}

function Result({ task }: { task: Task }): ReactNode {
  if (task.results !== undefined && task.results !== null) {
    return <Value value={task.results} isBase64={task.results_encoding === "base64"} name="Result" />;
  }
  return <p className="quiet">{hasEnded(task.state) ? "None." : "None yet."}</p>;
}

function Inputs({ task }: { task: Task }): ReactNode {
  const inputs = task.inputs ?? [];
  const args = task.cli_args ?? [];
  if (inputs.length === 0 && args.length === 0 && task.stdin === undefined) return null;
  return (
    <section>
      <h2 className="part-title">
        Inputs {inputs.length > 0 && <span className="quiet number">{count(inputs.length)}</span>}
      </h2>
      {inputs.length > INPUTS_SHOWN_MAX ? (
        <Value value={inputs} name="Inputs" />
      ) : (
        <ol className="inputs">
          {inputs.map((input, at) => (
            <li key={at}>
              <InputShown input={input} at={at} />
            </li>
          ))}
        </ol>
      )}
      {args.length > 0 && (
        <Facts>
          <Fact name="Arguments">
            <Value value={args} name="Arguments" />
          </Fact>
        </Facts>
      )}
      {task.stdin !== undefined && (
        <Facts>
          <Fact name="Standard input">
            {typeof task.stdin === "string" ? (
              <Value value={task.stdin} isBase64={task.stdin_encoding === "base64"} name="stdin" />
            ) : (
              <FromParent id={task.stdin.from} />
            )}
          </Fact>
        </Facts>
      )}
    </section>
  );
}

const SHORT_CHARS_MAX = 100;

function InputShown({ input, at }: { input: NonNullable<Task["inputs"]>[number]; at: number }): ReactNode {
  if (typeof input === "object") return <FromParent id={input.from} />;
  const text = isInexact(input) ? `about ${input}` : String(input);
  if (text.length > SHORT_CHARS_MAX) return <Value value={text} name={`Input ${at + 1}`} />;
  return <code>{text === "" ? '""' : visible(text)}</code>;
}

function FromParent({ id }: { id: string }): ReactNode {
  return (
    <>
      <span className="quiet">the result of</span> <code>{visible(id)}</code>
    </>
  );
}

// What a task was asked to be: its conditions, retries, times, schedule and sandbox, as they were given.

import type { ReactNode } from "react";
import { Link } from "wouter";
import { Fact, Facts } from "../../parts/facts";
import { PropletLink } from "../../parts/proplet-link";
import { Time } from "../../parts/time";
import { Value } from "../../parts/value";
import { bytes, count, timeOf, visible } from "../../words";
import type { Task } from "./task-query";

/** A longer name is cut in the head of the panel. */
const NAME_CHARS_MAX = 120;

type Row = [name: string, value: ReactNode];

export function Settings({ task }: { task: Task }): ReactNode {
  return (
    <div className="stack">
      <Group title="What it is" rows={kindRows(task)} />
      <Group title="When it runs" rows={whenRows(task)} />
      <Group title="Where it runs" rows={whereRows(task)} />
      <Group title="Sandbox" rows={sandboxRows(task)} />
      <Pairs title="Environment" pairs={task.env} />
      <Pairs title="Metadata" pairs={task.metadata} />
    </div>
  );
}

function Group({ title, rows }: { title: string; rows: Row[] }): ReactNode {
  const shown = rows.filter(([, value]) => value !== undefined && value !== "" && value !== false);
  if (shown.length === 0) return null;
  return (
    <section>
      <h2 className="part-title">{title}</h2>
      <Facts>
        {shown.map(([name, value]) => (
          <Fact key={name} name={name}>
            {value === true ? "yes" : value}
          </Fact>
        ))}
      </Facts>
    </section>
  );
}

function kindRows(task: Task): Row[] {
  return [
    ["Name", task.name.length > NAME_CHARS_MAX && <Value value={task.name} name="Name" />],
    ["Daemon", task.daemon],
    ["Latent", task.latent],
    ["Broadcast", task.broadcast],
    ["Encrypted", task.encrypted],
    ["Kind", task.kind && visible(task.kind)],
    ["Mode", task.mode && visible(task.mode)],
    [
      "Copy of",
      task.copy_of && (
        <Link href={`/tasks/${encodeURIComponent(task.copy_of)}`}>{visible(task.copy_of)}</Link>
      ),
    ],
  ];
}

function whenRows(task: Task): Row[] {
  const { retry, schedule_options: options } = task;
  return [
    ["Runs if", condition(task)],
    ["Priority", task.priority !== undefined && <span className="number">{task.priority}</span>],
    ["Timeout", task.timeout],
    ["Deadline", task.deadline],
    ["Queue timeout", task.queue_timeout],
    ["Retry", retry && retryInWords(retry)],
    [
      "Schedule",
      task.schedule && (
        <>
          <code>{visible(task.schedule)}</code> {visible(task.timezone ?? "UTC")}
          {!task.is_recurring && ", once"}
        </>
      ),
    ],
    ["Next run", timeOf(task.next_run) > 0 && <Time at={timeOf(task.next_run)} />],
    ["Missed times", options?.catch_up],
    ["Overlap", options?.overlap],
    ["Jitter", options?.jitter],
  ];
}

function condition(task: Task): ReactNode {
  if (task.run_if) return <code>{visible(task.run_if)}</code>;
  return task.depends_on && "its parents completed";
}

/** Say a retry policy: `up to 3 attempts, after 1s, 2 times longer each time up to 5m`. */
function retryInWords(retry: NonNullable<Task["retry"]>): string {
  const longer =
    retry.backoff === 1 ? "" : `, ${retry.backoff} times longer each time up to ${retry.max_delay}`;
  const kinds = retry.on ? `, on ${retry.on.join(", ")}` : "";
  return `up to ${retry.max_attempts} attempts, after ${retry.delay}${longer}${kinds}`;
}

function whereRows(task: Task): Row[] {
  return [
    ["Pinned to", task.pinned_to && <PropletLink id={task.pinned_to} />],
    ["Needs tags", task.required_tags?.length ? visible(task.required_tags.join(", ")) : undefined],
  ];
}

/** Limits that are numbers of bytes. */
const IN_BYTES = new Set(["memory", "output", "stack"]);

function sandboxRows(task: Task): Row[] {
  const { grants } = task;
  const limits = Object.entries(task.limits ?? {}).map(
    ([name, value]): Row => [`Limit of ${visible(name)}`, IN_BYTES.has(name) ? bytes(value) : count(value)],
  );
  if (!grants) return limits;
  return [
    ...limits,
    [
      "Directories",
      grants.dirs.map((dir) => visible(`${dir.host} as ${dir.guest} (${dir.mode})`)).join(", "),
    ],
    ["HTTP to", visible(grants.http.join(", "))],
    ["Listens", grants.listen],
    ["Clock", grants.clock ? "yes" : "no"],
    ["Random", typeof grants.random === "number" ? `seed ${grants.random}` : grants.random ? "yes" : "no"],
  ];
}

/** Pairs are shown one by one up to so many, and as one value beyond. */
const PAIRS_SHOWN_MAX = 50;

function Pairs({ title, pairs }: { title: string; pairs: Record<string, unknown> | undefined }): ReactNode {
  const all = Object.entries(pairs ?? {});
  if (all.length === 0) return null;
  return (
    <section>
      <h2 className="part-title">{title}</h2>
      {all.length > PAIRS_SHOWN_MAX ? (
        <Value value={pairs} name={title} />
      ) : (
        <Facts>
          {all.map(([name, value]) => (
            <Fact key={name} name={visible(name)}>
              {typeof value === "string" && value.length < 200 ? (
                <code>{visible(value)}</code>
              ) : (
                <Value value={value} name={name} />
              )}
            </Fact>
          ))}
        </Facts>
      )}
    </section>
  );
}

// The module of a task: what it is, and how it is called.

import { type UseQueryResult, useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { Link } from "wouter";
import { api, apiRoot, ask, type Shapes } from "../../api/client";
import { CopyButton } from "../../parts/copy";
import { Fact, Facts } from "../../parts/facts";
import { isGone, notYet, Problem } from "../../parts/messages";
import { bytes, count, timeOf, visible } from "../../words";
import type { Task } from "./task-query";
import "../../parts/dense.css";
import "./panel.css";

export type ModuleOf = Shapes["ModuleView"];

/** Ask what a task's module is; its answer changes with the module only. */
export function useModule(task: Task): UseQueryResult<ModuleOf> {
  return useQuery({
    queryKey: ["module", task.id, task.file_digest ?? "", task.image_url ?? ""],
    queryFn: ({ signal }) =>
      ask(api.GET("/tasks/{id}/module", { params: { path: { id: task.id } }, signal })),
    enabled: !task.runs_workflow && !task.workflow,
  });
}

export const KINDS: Record<ModuleOf["kind"], string> = {
  module: "core module",
  command: "program (WASI)",
  reactor: "reactor (WASI)",
  component: "component",
  "component-command": "program (component)",
  "component-http": "HTTP server (component)",
};

/** A module with more exports than this shows the first ones. */
const EXPORTS_SHOWN_MAX = 200;

export function Module({ task }: { task: Task }): ReactNode {
  const query = useModule(task);
  if (task.workflow || task.runs_workflow) return <InnerWorkflow task={task} />;
  const module = query.data;
  return (
    <div className="stack">
      {notYet(query, "the module")}
      {query.error && isGone(query.error) ? <p className="quiet">{visible(query.error.message)}</p> : null}
      {query.error && !isGone(query.error) ? <Problem error={query.error} /> : null}
      {task.image_url && (
        <Facts>
          <Fact name="Image">
            <code>{visible(task.image_url)}</code>
          </Fact>
        </Facts>
      )}
      {module && <ModuleShown task={task} module={module} />}
      {timeOf(task.finish_time) > 0 && (
        <p>
          <a href={`${apiRoot}/tasks/${encodeURIComponent(task.id)}/provenance`}>
            Where its last result comes from
          </a>
        </p>
      )}
    </div>
  );
}

function InnerWorkflow({ task }: { task: Task }): ReactNode {
  return (
    <p>
      This task runs a workflow in place of a module.{" "}
      {task.runs_workflow && (
        <Link href={`/workflows/${encodeURIComponent(task.runs_workflow)}`}>
          Open the workflow that it runs
        </Link>
      )}
    </p>
  );
}

function ModuleShown({ task, module }: { task: Task; module: ModuleOf }): ReactNode {
  return (
    <>
      <Facts>
        <Fact name="Kind">{KINDS[module.kind] ?? module.kind}</Fact>
        <Fact name="Function">
          <code>{visible(task.name)}</code>
        </Fact>
        <Fact name="Size">
          {bytes(module.size)}{" "}
          <a href={`${apiRoot}/tasks/${encodeURIComponent(task.id)}/file`} download={`${task.id}.wasm`}>
            Download
          </a>
        </Fact>
        <Fact name="Digest">
          <code className="break">{module.digest}</code> <CopyButton text={module.digest} what="the digest" />
        </Fact>
      </Facts>
      {module.obstacles.map((text) => (
        <div key={text} className="problem">
          {visible(text)}
        </div>
      ))}
      {module.needs.length > 0 && (
        <section>
          <h2 className="part-title">Needs</h2>
          <ul className="plain-list">
            {module.needs.map((need) => (
              <li key={`${need.grant} ${need.text}`}>
                <code>{visible(need.grant)}</code> {visible(need.text)}
              </li>
            ))}
          </ul>
        </section>
      )}
      <Items title="Exports" items={module.exports} />
      {module.imports.length > 0 && (
        <details>
          <summary>{count(module.imports.length)} imports</summary>
          <Items title="Imports" items={module.imports} />
        </details>
      )}
    </>
  );
}

export function Items({ title, items }: { title: string; items: ModuleOf["exports"] }): ReactNode {
  return (
    <section>
      <h2 className="part-title">{title}</h2>
      <div className="scroll-x">
        <table className="dense">
          <thead>
            <tr>
              <th scope="col">Name</th>
              <th scope="col">Type</th>
            </tr>
          </thead>
          <tbody>
            {items.slice(0, EXPORTS_SHOWN_MAX).map((item, at) => (
              <tr key={at} className="row-end">
                <td className="mono break">{visible(item.name)}</td>
                <td className="mono break">{visible(item.type || item.kind)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {items.length > EXPORTS_SHOWN_MAX && (
        <p className="quiet">and {count(items.length - EXPORTS_SHOWN_MAX)} more</p>
      )}
    </section>
  );
}

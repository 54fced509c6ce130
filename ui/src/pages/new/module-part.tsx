// The module of a new task: the file, what it is, what it needs.

import type { UseMutationResult } from "@tanstack/react-query";
import { type ReactNode, useEffect, useState } from "react";
import { api, ask } from "../../api/client";
import { CopyButton } from "../../parts/copy";
import { Fact, Facts } from "../../parts/facts";
import { Problem } from "../../parts/messages";
import { bytes, count, duration, visible } from "../../words";
import { Items, KINDS } from "../task/module";
import { Drop } from "./drop";
import { ProblemsAt } from "./field";
import type { ModuleFunction, ModuleView } from "./task-draft";

/** Ask what a module is. The manager runs a process of its own for that; a large component takes half a minute. */
export function inspect(file: File): Promise<ModuleView> {
  return ask(
    api.POST("/modules/inspect", {
      body: "",
      bodySerializer: () => file,
      headers: { "Content-Type": "application/wasm" },
    }),
  );
}

export function ModuleFile(props: {
  file: File | null;
  asked: UseMutationResult<ModuleView, Error, File>;
  onFile: (file: File) => void;
  onExample: () => void;
}): ReactNode {
  const { file, asked, onFile } = props;
  return (
    <div className="stack-small">
      <Drop label="Module" accept=".wasm,.wat" onFiles={([first]) => first && onFile(first)}>
        {file === null ? (
          <>
            Drop a <code>.wasm</code> or <code>.wat</code> file here, or <strong>choose one</strong>
          </>
        ) : (
          <>
            <code>{visible(file.name)}</code>, {bytes(file.size)} · <strong>choose another</strong>
          </>
        )}
      </Drop>
      <ProblemsAt name="file" />
      {file === null && (
        <div>
          <button type="button" className="link-button" onClick={props.onExample}>
            Take an example: a function that adds two numbers
          </button>
        </div>
      )}
      {asked.isPending && <Looking />}
      {asked.error && (
        <Problem
          error={new Error(asked.error.message.replace(/^body: /, ""))}
          what="This can't be used as a module."
        />
      )}
    </div>
  );
}

/** How long it has taken is shown, since large components take a while. */
function Looking(): ReactNode {
  const [seconds, setSeconds] = useState(0);
  useEffect(() => {
    const timer = setInterval(() => setSeconds((before) => before + 1), 1_000);
    return () => clearInterval(timer);
  }, []);
  return (
    <div className="quiet" role="status">
      Looking at the module …{" "}
      {seconds > 1 && (
        <span aria-hidden="true">{duration(seconds)}; large components take up to a minute</span>
      )}
    </div>
  );
}

/** Exports and imports, of which a list is shown up to its end only on demand. */
export function ModuleFacts({ module }: { module: ModuleView }): ReactNode {
  return (
    <section className="card new-card" aria-label="What the module is">
      <Facts>
        <Fact name="Kind">{KINDS[module.kind] ?? module.kind}</Fact>
        <Fact name="Size">{bytes(module.size)}</Fact>
        <Fact name="Digest">
          <code className="break">{module.digest}</code> <CopyButton text={module.digest} what="the digest" />
        </Fact>
      </Facts>
      {module.obstacles.map((text) => (
        <div key={text} className="problem" role="alert">
          <strong>It can't run here:</strong> {visible(text)}
        </div>
      ))}
      {module.needs.length > 0 && (
        <section>
          <h3 className="part-title">Needs</h3>
          <ul className="plain-list">
            {module.needs.map((need) => (
              <li key={`${need.grant} ${need.text}`}>
                <code>{visible(need.grant)}</code> {visible(need.text)}
              </li>
            ))}
          </ul>
        </section>
      )}
      {module.exports.length > 0 && <Items title="Exports" items={module.exports} />}
      {module.imports.length > 0 && (
        <details>
          <summary>
            {count(module.imports.length)} {module.imports.length === 1 ? "import" : "imports"}
          </summary>
          <Items title="Imports" items={module.imports} />
        </details>
      )}
    </section>
  );
}

/** A function as people write it: `main(i32, i32) → i32`. */
export function signatureOf({ name, params, results }: ModuleFunction): string {
  const given = params.map((param) => (param.name ? `${param.name}: ${param.type}` : param.type)).join(", ");
  return `${name}(${given})${results.length > 0 ? ` → ${results.join(", ")}` : ""}`;
}

// Parts of the form for a workflow or job: its mistakes, and the files that it names.

import type { ReactNode } from "react";
import { bytes, count, visible } from "../../words";
import { KINDS } from "../task/module";
import { fileFor, keyOf, type Mistake, type Need } from "./group-request";
import { signatureOf } from "./module-part";
import type { Files, Kept } from "./use-files";

export function Mistakes(props: {
  id: string;
  mistakes: readonly Mistake[];
  onLine: (line: number) => void;
}): ReactNode {
  const { mistakes } = props;
  if (mistakes.length === 0) return null;
  return (
    <section className="problem new-mistakes" aria-label="Mistakes" id={props.id}>
      <strong>{mistakes.length === 1 ? "1 mistake" : `${count(mistakes.length)} mistakes`}</strong>
      <ul>
        {mistakes.map(({ line, field, message }) => (
          <li key={`${line} ${field} ${message}`}>
            {line > 0 && (
              <button type="button" className="link-button" onClick={() => props.onLine(line)}>
                Line {line}
              </button>
            )}{" "}
            {field && <code>{visible(field)}</code>} {visible(message)}
          </li>
        ))}
      </ul>
    </section>
  );
}

/** Which files the text names, and which of them are still missing. */
export function NeedsList(props: {
  needs: readonly Need[];
  kept: Files["kept"];
  onLine: (line: number) => void;
}): ReactNode {
  if (props.needs.length === 0) return null;
  return (
    <section className="card new-card" aria-label="Files">
      <h2 className="part-title">Files that it names</h2>
      <ul className="new-needs">
        {props.needs.map((need) => (
          <li key={keyOf(need)}>
            <code>{visible(need.name)}</code>
            <NeedState kept={fileFor(need, props.kept)} field={need.field} />
            {need.line > 0 && (
              <button type="button" className="link-button" onClick={() => props.onLine(need.line)}>
                line {need.line}
              </button>
            )}
          </li>
        ))}
      </ul>
    </section>
  );
}

function NeedState({ kept, field }: { kept: Kept | undefined; field: Need["field"] }): ReactNode {
  if (kept === undefined) {
    return (
      <span className="new-missing">
        missing: {field === "file" ? "drop or choose it" : "standard input; drop or choose it"}
      </span>
    );
  }
  if (kept.error) return <span className="new-missing">{visible(kept.error)}</span>;
  if (kept.isLookedAt) return <span className="quiet">looking at it …</span>;
  const { module } = kept;
  if (module === null) return <span className="quiet">{bytes(kept.file.size)}</span>;
  const [first] = module.functions;
  return (
    <span className="quiet">
      {KINDS[module.kind] ?? module.kind}, {bytes(module.size)}
      {module.functions.length === 1 && first && (
        <>
          , <code>{visible(signatureOf(first))}</code>
        </>
      )}
      {module.functions.length > 1 && `, ${count(module.functions.length)} functions`}
    </span>
  );
}

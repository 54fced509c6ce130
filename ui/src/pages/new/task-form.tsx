// A new task: its module, what of it runs with what, and options.

import { useMutation } from "@tanstack/react-query";
import { type ReactNode, useMemo, useRef, useState } from "react";
import { Refused } from "../../api/client";
import { CopyAs } from "../../parts/copy-as";
import { base64Of } from "./base64";
import { useDrop } from "./drop";
import { exampleModule } from "./example";
import { Errors, Field } from "./field";
import { type FieldErrors, partOf, placed } from "./field-errors";
import { Made, MakeButtons } from "./made";
import { useMaker, type Wish } from "./making";
import { inspect, ModuleFacts, ModuleFile } from "./module-part";
import { TaskCall } from "./task-call";
import {
  bodyOf,
  EMPTY_TASK,
  functionOf,
  problemsOf,
  recipeOfTask,
  type TaskDraft,
  withNeeds,
} from "./task-draft";
import { TaskOptions } from "./task-options";

/** A larger module is sent by itself and not within the request. */
const INLINE_BYTES_MAX = 16 * 1024 * 1024;

const OPTIONS = [
  "grants",
  "grants.http",
  "grants.dirs",
  "grants.listen",
  "limits.memory",
  "timeout",
  "deadline",
  "queue_timeout",
  "retry.max_attempts",
  "retry.delay",
  "required_tags",
  "priority",
  "daemon",
  "latent",
  "broadcast",
  "schedule",
  "timezone",
  "is_recurring",
  "metadata",
];

export function TaskForm(): ReactNode {
  const [draft, setDraft] = useState<TaskDraft>(EMPTY_TASK);
  const [file, setFile] = useState<File | null>(null);
  const [isTried, setTried] = useState(false);
  const [refusal, setRefusal] = useState<FieldErrors>({});
  const [areOptionsOpen, setOptionsOpen] = useState(false);
  const form = useRef<HTMLFormElement>(null);
  const maker = useMaker();
  const asked = useMutation({
    mutationFn: inspect,
    onSuccess: (found) => {
      setDraft((before) => withNeeds(before, found));
      if (found.needs.length > 0) setOptionsOpen(true);
    },
  });
  const module = draft.source === "file" ? (asked.data ?? null) : null;
  const shown = useMemo(() => {
    const params = functionOf(draft, module)?.params ?? [];
    const inputs = params.map((_, place) => `inputs[${place}]`);
    return ["file", "image_url", "name", "inputs", ...inputs, "cli_args", "stdin", "env", ...OPTIONS];
  }, [draft, module]);
  const body = useMemo(() => bodyOf(draft, module), [draft, module]);
  const errors = useMemo(
    () => (isTried ? { ...problemsOf(draft, module), ...refusal } : refusal),
    [isTried, draft, module, refusal],
  );
  const forget = (): void => {
    setRefusal({});
    if (maker.making.at === "refused") maker.forget();
  };
  const change = (changes: Partial<TaskDraft>): void => {
    setDraft((before) => ({ ...before, ...changes }));
    forget();
  };
  const take = (next: File): void => {
    setFile(next);
    setTried(false);
    forget();
    asked.mutate(next);
  };
  const point = (found: FieldErrors): void => {
    if (Object.keys(found).some((field) => OPTIONS.includes(partOf(field, OPTIONS)))) setOptionsOpen(true);
    // The fields say what is wrong once they are drawn.
    setTimeout(() => form.current?.querySelector<HTMLElement>("[aria-invalid]")?.focus());
  };
  const make = async (isStarted: boolean): Promise<void> => {
    const problems = problemsOf(draft, module);
    setTried(true);
    setRefusal({});
    if (Object.keys(problems).length > 0) return point(problems);
    const given = draft.source === "file" ? file : null;
    const isInline = given !== null && given.size <= INLINE_BYTES_MAX;
    const inline = isInline ? { file: asked.data?.wasm || (await base64Of(given)) } : {};
    const wish: Wish = {
      kind: "task",
      json: JSON.stringify({ ...body, ...inline }),
      upload: isInline ? null : given,
      isStarted,
    };
    const error = await maker.make(wish);
    if (!(error instanceof Refused)) return;
    const { field, message } = placed(error.message);
    if (partOf(field, shown) === "") return;
    setRefusal({ [field]: message });
    maker.forget();
    point({ [field]: message });
  };
  const isHalf = maker.making.at === "half" || maker.making.at === "removing";
  const [, dropping] = useDrop(([first]) => first && take(first));
  const isTimed = draft.schedule.trim() !== "";
  return (
    <Errors value={{ errors, shown }}>
      <form
        ref={form}
        className="new-task"
        aria-label="New task"
        {...dropping}
        onSubmit={(event) => {
          event.preventDefault();
          void make(!isTimed);
        }}
      >
        <fieldset className="new-fields" disabled={isHalf}>
          <Source source={draft.source} onChange={(source) => change({ source })} />
          {draft.source === "file" ? (
            <ModuleFile file={file} asked={asked} onFile={take} onExample={() => take(exampleModule())} />
          ) : (
            <Field
              name="image_url"
              label="Image"
              hint="A proplet fetches it from the registry."
              placeholder="registry.example.com/team/app:v1"
              value={draft.imageUrl}
              onChange={(imageUrl) => change({ imageUrl })}
              isMono
            />
          )}
          <TaskCall draft={draft} module={module} onChange={change} />
          <TaskOptions
            draft={draft}
            module={module}
            isOpen={areOptionsOpen}
            onOpen={setOptionsOpen}
            onChange={change}
          />
        </fieldset>
        <Made kind="task" maker={maker} />
        {!isHalf && (
          <MakeButtons
            maker={maker}
            isWaiting={asked.isPending}
            isTimed={isTimed}
            onMake={(isStarted) => void make(isStarted)}
          />
        )}
        <CopyAs recipe={recipeOfTask(body, draft.source === "file" ? (file?.name ?? "module.wasm") : null)} />
      </form>
      {module && <ModuleFacts module={module} />}
    </Errors>
  );
}

function Source(props: {
  source: TaskDraft["source"];
  onChange: (source: TaskDraft["source"]) => void;
}): ReactNode {
  return (
    <fieldset className="new-source">
      <legend className="only-read">Where the module comes from</legend>
      {(["file", "image"] as const).map((source) => (
        <label key={source}>
          <input
            type="radio"
            name="source"
            checked={props.source === source}
            onChange={() => props.onChange(source)}
          />
          {source === "file" ? "A file" : "An image in a registry"}
        </label>
      ))}
    </fieldset>
  );
}

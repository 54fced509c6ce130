// A new workflow or job: its file, checked while it is written, with the graph that it makes.

import { lazy, type ReactNode, Suspense, useId, useMemo, useRef, useState } from "react";
import { CopyAs } from "../../parts/copy-as";
import { Problem } from "../../parts/messages";
import { Drop, useDrop } from "./drop";
import { Editor, type EditorHandle } from "./editor";
import { ADDITION_TEXT, EXAMPLE_JOB, EXAMPLE_WORKFLOW, exampleModule } from "./example";
import { placed } from "./field-errors";
import { Mistakes, NeedsList } from "./group-parts";
import {
  baseName,
  fileFor,
  filled,
  type Mistake,
  mistakeOf,
  type Need,
  randomOf,
  recipeOfGroup,
} from "./group-request";
import { Made, MakeButtons } from "./made";
import { useMaker } from "./making";
import { type Checked, useCheck } from "./use-check";
import { givenFor, useFiles, withBytes } from "./use-files";

// The form works without it, and loading the page anew would take away what is written in it.
const Preview = lazy(() => import("./preview").catch(() => ({ default: NoPreview })));

const NO_NEEDS: readonly Need[] = [];
const NO_MISTAKES: readonly Mistake[] = [];
const TEXT_NAME = /\.(ya?ml|json)$/i;

/** Where the text is from: a file of the reader's, or the example. */
type Source = { name: string; text: string; isExample: boolean };

export function GroupForm({ kind: wanted }: { kind: "workflow" | "job" }): ReactNode {
  const [text, setText] = useState("");
  const [source, setSource] = useState<Source | null>(null);
  const [isTried, setTried] = useState(false);
  const [refused, setRefused] = useState(NO_MISTAKES);
  const editor = useRef<EditorHandle>(null);
  const mistakesId = useId();
  const files = useFiles();
  const maker = useMaker();
  const check = useCheck(wanted, source?.name ?? "", text);
  const checked = check.data;
  const kind = checked?.kind ?? wanted;
  const needs = checked?.needs ?? NO_NEEDS;
  const given = useMemo(() => givenFor(needs, files.kept), [needs, files.kept]);
  const whole = useMemo(
    () => (checked?.request ? filled(checked.request, needs, given) : null),
    [checked, needs, given],
  );
  const recipe = useMemo(() => {
    if (whole === null) return null;
    const random = randomOf(whole.request, checked?.tasks[0]?.id ?? "");
    return recipeOfGroup(kind, whole.request, sourceOf(kind, source, text), random);
  }, [whole, checked, kind, source, text]);
  const mistakes = useMemo(
    () => [...(checked?.errors ?? []), ...(whole?.mistakes ?? []), ...refused],
    [checked, whole, refused],
  );
  const wrongLines = useMemo(() => new Set(mistakes.map(({ line }) => line)), [mistakes]);
  const missing = needs.filter((need) => fileFor(need, files.kept) === undefined);
  const isLooking = needs.some((need) => fileFor(need, files.kept)?.isLookedAt);
  const bad = needs.find((need) => fileFor(need, files.kept)?.error);
  const hindrance = hindranceOf(text, mistakes, missing, bad);

  const write = (next: string): void => {
    setText(next);
    setTried(false);
    setRefused(NO_MISTAKES);
    if (maker.making.at === "refused") maker.forget();
  };
  const take = (all: readonly File[]): void => {
    const named = new Set(needs.map(({ name }) => baseName(name)));
    const isText = (file: File): boolean => TEXT_NAME.test(file.name) && !named.has(file.name);
    files.add(all.filter((file) => !isText(file)));
    const first = all.find(isText);
    void first?.text().then((found) => {
      setSource({ name: first.name, text: found, isExample: false });
      write(found);
    });
  };
  const takeExample = (): void => {
    const found = wanted === "job" ? EXAMPLE_JOB : EXAMPLE_WORKFLOW;
    files.add([exampleModule()]);
    setSource({ name: `addition-${wanted}.yaml`, text: found, isExample: true });
    write(found);
  };
  const goTo = (line: number): void => editor.current?.goTo(line);
  const make = async (isStarted: boolean): Promise<void> => {
    setTried(true);
    setRefused(NO_MISTAKES);
    if (hindrance !== null || whole === null || !checked?.request) {
      const first = mistakes.find(({ line }) => line > 0);
      if (first) goTo(first.line);
      return;
    }
    const { request } = filled(checked.request, needs, await withBytes(given, needs, files.kept));
    const error = await maker.make({ kind, json: JSON.stringify(request), upload: null, isStarted });
    if (!(error instanceof Error)) return;
    const { field, message } = placed(error.message);
    const mistake = mistakeOf(field, message, checked.tasks);
    if (mistake.line === 0) return;
    setRefused([mistake]);
    maker.forget();
    goTo(mistake.line);
  };
  const [isOver, dropping] = useDrop(take);
  const isHalf = maker.making.at === "half" || maker.making.at === "removing";
  const isTimed = whole?.request.schedule !== undefined;
  return (
    <>
      <form
        className="new-task new-group"
        aria-label={`New ${wanted}`}
        data-over={isOver || undefined}
        onSubmit={(event) => {
          event.preventDefault();
          void make(!isTimed);
        }}
        {...dropping}
      >
        <fieldset className="new-fields" disabled={isHalf}>
          <Drop label="Files" accept=".yaml,.yml,.json,.wasm,.wat,*" isMultiple onFiles={take}>
            Drop a YAML or JSON file with its modules, or <strong>choose them</strong>
          </Drop>
          {text === "" && (
            <div>
              <button type="button" className="link-button" onClick={takeExample}>
                Take an example:{" "}
                {wanted === "job"
                  ? "three additions, one after another"
                  : "three additions, two of them side by side"}
              </button>
            </div>
          )}
          <Editor
            ref={editor}
            label={`${wanted === "job" ? "Job" : "Workflow"} file`}
            value={text}
            onChange={write}
            wrong={wrongLines}
            describedBy={mistakes.length > 0 ? mistakesId : undefined}
            placeholder="Paste a file here, or write one."
          />
        </fieldset>
        <Made kind={kind} maker={maker} />
        {isTried && hindrance !== null && (
          <p className="form-wrong new-hindrance" role="alert">
            {hindrance}
          </p>
        )}
        {!isHalf && (
          <MakeButtons
            maker={maker}
            isWaiting={check.isWaiting || isLooking}
            isTimed={isTimed}
            onMake={(isStarted) => void make(isStarted)}
          />
        )}
        {/* What was checked before is not what stands there now. */}
        <div hidden={check.isWaiting}>{recipe && <CopyAs recipe={recipe} />}</div>
      </form>
      <div className="new-side">
        {check.error ? <Problem error={check.error} what="The file could not be checked." /> : null}
        {checked && kind !== wanted && (
          <p className="new-note">This is a job, since it has an execution_mode. It is created as one.</p>
        )}
        <Mistakes id={mistakesId} mistakes={mistakes} onLine={goTo} />
        <NeedsList needs={needs} kept={files.kept} onLine={goTo} />
        {checked && <Graph checked={checked} mistakes={mistakes} onLine={goTo} />}
      </div>
    </>
  );
}

function Graph(props: {
  checked: Checked;
  mistakes: readonly Mistake[];
  onLine: (line: number) => void;
}): ReactNode {
  const { tasks, edges, request } = props.checked;
  const wrong = useMemo(() => {
    const places = props.mistakes.map(({ field }) => /^tasks\[(\d+)\]/.exec(field)?.[1]);
    return new Set(places.flatMap((place) => (place === undefined ? [] : [tasks[Number(place)]?.id ?? ""])));
  }, [props.mistakes, tasks]);
  if (tasks.length === 0) return null;
  const mode = (request as { execution_mode?: string } | null)?.execution_mode;
  return (
    <section className="card new-card" aria-label="Preview">
      <Suspense fallback={<p className="quiet">Drawing …</p>}>
        <Preview
          tasks={tasks}
          edges={edges}
          isSequence={mode === "sequential" && edges.length === 0}
          wrong={wrong}
          onTask={({ line }) => props.onLine(line)}
        />
      </Suspense>
    </section>
  );
}

/** Say what keeps it from being created; null if nothing does. */
function hindranceOf(
  text: string,
  mistakes: readonly Mistake[],
  missing: readonly Need[],
  bad: Need | undefined,
): string | null {
  if (text.trim() === "") return "Write a file or choose one.";
  if (mistakes.length > 0) return "There are mistakes in it.";
  if (missing.length > 0)
    return `Drop or choose what is missing: ${missing.map(({ name }) => name).join(", ")}.`;
  return bad ? `${bad.name} can't be used.` : null;
}

/** Which file the command line runs; one that is not there as it is written here is written first. */
function sourceOf(
  kind: "workflow" | "job",
  source: Source | null,
  text: string,
): { name: string; text: string | null; others: { name: string; text: string }[] } {
  if (source === null) return { name: `${kind}.yaml`, text, others: [] };
  if (source.isExample) {
    return { name: source.name, text, others: [{ name: "addition.wat", text: ADDITION_TEXT }] };
  }
  if (source.text === text) return { name: source.name, text: null, others: [] };
  return { name: source.name.replace(/(\.\w+)$/, "-edited$1"), text, others: [] };
}

function NoPreview(): ReactNode {
  return <p className="quiet">The graph can't be shown: this part of the page could not be loaded.</p>;
}

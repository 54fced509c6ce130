// Puts the files that a workflow or job names into its request. Pure.

import { type BodyValue, type FileValue, MADE, type Recipe } from "../../parts/recipe";
import { type ModuleView, suggestedName } from "./task-draft";

export type Need = { name: string; field: "file" | "stdin"; tasks: readonly string[]; line: number };

/** A file that was given for a need. */
export type Given =
  | { field: "file"; module: ModuleView; value: string | FileValue }
  | { field: "stdin"; text: string }
  | { field: "stdin"; base64: string };

export type Request = { [name: string]: BodyValue | undefined };
export type Mistake = { line: number; field: string; message: string };

/**
 * Fill a request.
 *
 * @param given by the name and the field of the need, as `keyOf` writes it
 * @returns the request, and the mistakes that only the modules show
 */
export function filled(
  request: Request,
  needs: readonly Need[],
  given: ReadonlyMap<string, Given>,
): { request: Request; mistakes: Mistake[] } {
  const whole: Request = structuredClone(request);
  const mistakes: Mistake[] = [];
  for (const need of needs) {
    const file = given.get(keyOf(need));
    if (file === undefined) continue;
    for (const path of need.tasks) {
      const task = taskAt(whole, path);
      if (task === null) continue;
      if (file.field === "stdin") {
        Object.assign(
          task,
          "text" in file ? { stdin: file.text } : { stdin: file.base64, stdin_encoding: "base64" },
        );
        continue;
      }
      task.file = file.value;
      task.name ||= suggestedName(file.module);
      if (!task.name) mistakes.push(unnamed(need, path, file.module));
    }
  }
  return { request: whole, mistakes };
}

export function keyOf({ name, field }: Pick<Need, "name" | "field">): string {
  return `${field} ${name}`;
}

function unnamed(need: Need, path: string, module: ModuleView): Mistake {
  const names = module.functions.map(({ name }) => name);
  const message =
    names.length > 0
      ? `${need.name} has several functions (${names.join(", ")}): say by name which one is to run`
      : `${need.name} exports no function that can be called here`;
  return { line: need.line, field: `${path}.name`, message };
}

/** Find a task by its path, such as `tasks[2].workflow.tasks[1]`. */
function taskAt(whole: Request, path: string): Request | null {
  let found: unknown = whole;
  for (const step of path.match(/\w+/g) ?? []) {
    if (typeof found !== "object" || found === null) return null;
    found = (found as Record<string, unknown>)[step];
  }
  return typeof found === "object" && found !== null ? (found as Request) : null;
}

/** Find the file for a need: one of that path, or else of that name in whatever folder. */
export function fileFor<Item>(need: Need, files: ReadonlyMap<string, Item>): Item | undefined {
  return files.get(need.name) ?? files.get(baseName(need.name));
}

export function baseName(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

/**
 * Say how the same is created and started elsewhere.
 *
 * @param source the file to run; its text where it has to be written first
 */
export function recipeOfGroup(
  kind: "workflow" | "job",
  request: Request,
  source: { name: string; text: string | null; others: readonly { name: string; text: string }[] },
  random: string | null = null,
): Recipe {
  const isTimed = request.schedule !== undefined;
  const { name, text, others } = source;
  return {
    creates: kind,
    ...(random === null ? {} : { random }),
    calls: [
      { method: "POST", path: `/${kind}s?file=false`, body: request },
      ...(isTimed ? [] : [{ method: "POST", path: `/${kind}s/${MADE}/start` } as const]),
    ],
    files: [...others, ...(text === null ? [] : [{ name, text }])],
    commands: [{ words: [`${kind}s`, "run", "--detach", name.startsWith("-") ? `./${name}` : name] }],
  };
}

/**
 * Give what is random in the ids of a request: those of a check are for one creation, and what is copied is another one.
 *
 * @param local the id of the first task in the file
 */
export function randomOf(request: Request, local: string): string | null {
  const [first] = Array.isArray(request.tasks) ? request.tasks : [];
  const id = typeof first?.id === "string" ? first.id : "";
  const [, random] = /^-([0-9a-f]{8,})$/.exec(id.startsWith(local) ? id.slice(local.length) : "") ?? [];
  return random ?? null;
}

/** Put a refusal of the manager at the line of the task that it names. */
export function mistakeOf(field: string, message: string, tasks: readonly { line: number }[]): Mistake {
  const place = /^tasks\[(\d+)\]/.exec(field)?.[1];
  return { line: place === undefined ? 0 : (tasks[Number(place)]?.line ?? 0), field, message };
}

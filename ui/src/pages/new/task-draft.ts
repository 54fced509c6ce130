// What is written in the form for a task, the request that it makes, and the command that does the same. Pure.

import type { Shapes } from "../../api/client";
import { type BodyValue, csv, flag, idWords, MADE, type Recipe } from "../../parts/recipe";
import { inputOf, problemOf } from "./values";

export type ModuleView = Shapes["ModuleView"];
export type ModuleFunction = Shapes["ModuleFunction"];

/** Texts as they are written; lists have one entry in each line. */
export type TaskDraft = {
  source: "file" | "image";
  imageUrl: string;
  /** The function; empty for the one that the module suggests. */
  name: string;
  /** By the place of the parameter. */
  inputs: readonly string[];
  /** Of a function whose parameters are not known. */
  freeInputs: string;
  args: string;
  stdin: string;
  env: string;
  timeout: string;
  deadline: string;
  queueTimeout: string;
  attempts: string;
  delay: string;
  priority: string;
  tags: string;
  metadata: string;
  schedule: string;
  timezone: string;
  isRecurring: boolean;
  isDaemon: boolean;
  isLatent: boolean;
  isBroadcast: boolean;
  dirs: string;
  hosts: string;
  listens: boolean;
  memory: string;
};

export const EMPTY_TASK: TaskDraft = {
  source: "file",
  imageUrl: "",
  name: "",
  inputs: [],
  freeInputs: "",
  args: "",
  stdin: "",
  env: "",
  timeout: "",
  deadline: "",
  queueTimeout: "",
  attempts: "",
  delay: "",
  priority: "",
  tags: "",
  metadata: "",
  schedule: "",
  timezone: "",
  isRecurring: true,
  isDaemon: false,
  isLatent: false,
  isBroadcast: false,
  dirs: "",
  hosts: "",
  listens: false,
  memory: "",
};

const PROGRAMS: ReadonlySet<string> = new Set(["command", "component-command", "component-http"]);

/** True for a module that is run as a whole and has no function to choose. */
export function isProgram(module: ModuleView): boolean {
  return PROGRAMS.has(module.kind);
}

/** Give the function that is run unless another is chosen: as the command line does. "" where one has to be chosen. */
export function suggestedName(module: ModuleView): string {
  if (isProgram(module)) return "_start";
  if (module.functions.some(({ name }) => name === "main")) return "main";
  return module.functions.length === 1 ? (module.functions[0]?.name ?? "") : "";
}

/** The name that a task of this draft has. */
export function nameOf(draft: TaskDraft, module: ModuleView | null): string {
  if (draft.source === "file" && module !== null && isProgram(module)) return "_start";
  return draft.name || (draft.source === "file" && module !== null ? suggestedName(module) : "");
}

/** The function that is chosen; null for a program, and where it is not known. */
export function functionOf(draft: TaskDraft, module: ModuleView | null): ModuleFunction | null {
  if (draft.source === "image" || module === null) return null;
  return module.functions.find(({ name }) => name === nameOf(draft, module)) ?? null;
}

/** Put in what a module needs and a form can know: a port. Hosts and directories are for people to name. */
export function withNeeds(draft: TaskDraft, module: ModuleView): TaskDraft {
  const listens = module.needs.some(({ grant }) => grant === "grants.listen");
  return { ...draft, listens, name: "", inputs: [] };
}

/** Find what is wrong before the manager is asked, by field. */
export function problemsOf(draft: TaskDraft, module: ModuleView | null): Record<string, string> {
  const found: Record<string, string> = {};
  if (draft.source === "file" && module === null) found.file = "Choose a .wasm or .wat file.";
  if (draft.source === "image" && draft.imageUrl.trim() === "") {
    found.image_url = "Write where the image is, such as registry.example.com/team/app:v1.";
  }
  if ((module !== null || draft.source === "image") && nameOf(draft, module) === "") {
    found.name = "Say which function is to run.";
  }
  functionOf(draft, module)?.params.forEach(({ type }, place) => {
    const problem = problemOf(type, draft.inputs[place] ?? "");
    if (problem !== null) found[`inputs[${place}]`] = problem;
  });
  for (const [field, text] of [
    ["env", draft.env],
    ["metadata", draft.metadata],
  ] as const) {
    const wrong = linesOf(text).find((line) => line.indexOf("=") < 1);
    if (wrong !== undefined) found[field] = `“${wrong}” has to be KEY=VALUE.`;
  }
  if (draft.attempts.trim() && !/^\d+$/.test(draft.attempts.trim())) {
    found["retry.max_attempts"] = "It has to be a whole number from 1 to 1000.";
  }
  if (draft.priority.trim() && !/^\d+$/.test(draft.priority.trim())) {
    found.priority = "It has to be a whole number from 0 to 100.";
  }
  return found;
}

export type TaskBody = { readonly name: string; readonly [field: string]: BodyValue | undefined };

/** Give the request, without the module. */
export function bodyOf(draft: TaskDraft, module: ModuleView | null): TaskBody {
  const { schedule } = draft;
  const stdin = draft.stdin === "" ? undefined : draft.stdin;
  return {
    name: nameOf(draft, module),
    image_url: draft.source === "image" ? draft.imageUrl.trim() : undefined,
    inputs: listed(inputsOf(draft, module)),
    cli_args: takesArguments(draft, module) ? listed(linesOf(draft.args)) : undefined,
    stdin: takesArguments(draft, module) ? stdin : undefined,
    env: pairsOf(draft.env),
    timeout: filled(draft.timeout),
    deadline: filled(draft.deadline),
    queue_timeout: filled(draft.queueTimeout),
    retry: retryOf(draft),
    priority: draft.priority.trim() ? Number(draft.priority) : undefined,
    required_tags: listed(namesOf(draft.tags)),
    schedule: filled(schedule),
    timezone: schedule.trim() ? filled(draft.timezone) : undefined,
    is_recurring: schedule.trim() && draft.isRecurring ? true : undefined,
    daemon: draft.isDaemon || undefined,
    latent: draft.isLatent || undefined,
    broadcast: draft.isBroadcast || undefined,
    metadata: pairsOf(draft.metadata),
    grants: grantsOf(draft),
    limits: draft.memory.trim() ? { memory: draft.memory.trim() } : undefined,
  };
}

/** Whether arguments and standard input mean something: to programs, and to what is not known. */
export function takesArguments(draft: TaskDraft, module: ModuleView | null): boolean {
  return draft.source === "image" || (module !== null && isProgram(module));
}

function inputsOf(draft: TaskDraft, module: ModuleView | null): (number | string)[] {
  if (draft.source === "image") return linesOf(draft.freeInputs).map((text) => inputOf("s64", text, false));
  const params = functionOf(draft, module)?.params ?? [];
  const isComponent = module?.kind === "component";
  return params.map(({ type }, place) => inputOf(type, draft.inputs[place] ?? "", isComponent));
}

function retryOf({ attempts, delay }: TaskDraft): BodyValue | undefined {
  if (!attempts.trim() && !delay.trim()) return undefined;
  return { max_attempts: attempts.trim() ? Number(attempts) : undefined, delay: filled(delay) };
}

function grantsOf({ dirs, hosts, listens }: TaskDraft): BodyValue | undefined {
  const given = linesOf(dirs).map(dirOf);
  const http = namesOf(hosts);
  if (given.length === 0 && http.length === 0 && !listens) return undefined;
  return { dirs: listed(given), http: listed(http), listen: listens || undefined };
}

/** Read `HOST[:GUEST][:rw]`, as `propeller run --dir` does. */
function dirOf(line: string): { host: string; guest?: string; mode?: string } {
  const parts = line.split(":");
  const mode = parts.length > 1 && /^r[ow]$/.test(parts.at(-1) ?? "") ? parts.pop() : undefined;
  const [host = "", ...rest] = parts;
  const guest = rest.join(":");
  return { host, ...(guest ? { guest } : {}), ...(mode ? { mode } : {}) };
}

function filled(text: string): string | undefined {
  return text.trim() || undefined;
}

function listed<Item>(items: readonly Item[]): readonly Item[] | undefined {
  return items.length > 0 ? items : undefined;
}

/** Give the lines of a text; one that is empty counts unless it is the last. */
export function linesOf(text: string): string[] {
  const lines = text.split("\n");
  if (lines.at(-1) === "") lines.pop();
  return lines;
}

function namesOf(text: string): string[] {
  return text.split(/[\s,]+/).filter((name) => name !== "");
}

function pairsOf(text: string): Record<string, string> | undefined {
  const lines = linesOf(text).filter((line) => line !== "");
  if (lines.length === 0) return undefined;
  return Object.fromEntries(
    lines.map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]),
  );
}

// -- to copy ----------------------------------------------------------------------------------------------

/** Say how the same task is created, given its module and started elsewhere. */
export function recipeOfTask(body: TaskBody, fileName: string | null): Recipe {
  const start = body.schedule === undefined;
  const { stdin } = body;
  return {
    creates: "task",
    calls: [
      { method: "POST", path: "/tasks", body },
      ...(fileName === null
        ? []
        : [{ method: "PUT", path: `/tasks/${MADE}/upload?file=false`, upload: fileName } as const]),
      ...(start ? [{ method: "POST", path: `/tasks/${MADE}/start` } as const] : []),
    ],
    commands: [
      {
        words: ["tasks", "create", ...flagsOf(body, fileName), ...idWords(body.name)],
        ...(typeof stdin === "string" ? { stdin } : {}),
      },
      ...(start ? [{ words: ["tasks", "start", MADE] }] : []),
    ],
  };
}

/** Fields whose flag takes their text as it is. */
const TEXTS = [
  "image_url",
  "timeout",
  "deadline",
  "queue_timeout",
  "schedule",
  "timezone",
  "priority",
] as const;
const LISTS = ["cli_args", "inputs", "required_tags"] as const;
const SWITCHES = ["is_recurring", "daemon", "latent", "broadcast"] as const;

function flagsOf(body: TaskBody, fileName: string | null): string[] {
  const found = fileName === null ? [] : [flag("file", fileName)];
  for (const field of LISTS) {
    const items = body[field];
    if (Array.isArray(items)) found.push(flag(dashed(field), csv(items.map(String))));
  }
  if (body.stdin !== undefined) found.push("--stdin=-");
  for (const field of ["env", "metadata"] as const) {
    for (const [key, value] of entriesOf(body[field])) found.push(flag(field, csv([`${key}=${value}`])));
  }
  for (const field of TEXTS)
    if (body[field] !== undefined) found.push(flag(dashed(field), String(body[field])));
  for (const field of ["retry", "limits"] as const) {
    const pairs = entriesOf(body[field]);
    if (pairs.length > 0) found.push(flag(field, csv(pairs.map(([key, value]) => `${key}=${value}`))));
  }
  for (const field of SWITCHES) if (body[field] === true) found.push(`--${dashed(field)}`);
  if (body.grants !== undefined) found.push(flag("grants", JSON.stringify(body.grants)));
  return found;
}

function dashed(field: string): string {
  return field.replaceAll("_", "-");
}

function entriesOf(value: BodyValue | undefined): [string, unknown][] {
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).filter(([, one]) => one !== undefined);
}

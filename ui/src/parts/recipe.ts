// What the page does, as something to paste: by curl, by the command line, in Python. Pure.

import { csvPart, quotedText, shellLine, shellWord } from "./quoting";

/** In place of a value of a body: the bytes of a file in base64. */
export class FileValue {
  constructor(readonly fileName: string) {}
}

export type BodyValue =
  | string
  | number
  | boolean
  | null
  | FileValue
  | readonly BodyValue[]
  | { readonly [name: string]: BodyValue | undefined };

/** Stands in paths and commands for the id of what the first call creates. */
export const MADE = "{id}";

export type Call = {
  method: "POST" | "PUT" | "DELETE";
  /** Below the root of the API, encoded: `/tasks/{id}/start`. */
  path: string;
  body?: BodyValue;
  /** The name of a file that is sent as the `file` of a form. */
  upload?: string;
};

export type Command = {
  /** Those after `propeller`. */
  words: readonly string[];
  stdin?: string;
};

export type Recipe = {
  calls: readonly Call[];
  commands: readonly Command[];
  /** Texts that the commands read as files; they are written first. */
  files?: readonly { name: string; text: string }[];
  /** What the first call creates, if later ones are about it. */
  creates?: "task" | "workflow" | "job";
  /** What in the ids of the bodies is to be another each time, so that it can be pasted twice. */
  random?: string;
};

/** Say by one request and one command what is done. */
export function recipeOf(
  method: Call["method"],
  path: string,
  words: readonly string[],
  body?: BodyValue,
): Recipe {
  return { calls: [body === undefined ? { method, path } : { method, path, body }], commands: [{ words }] };
}

/** Write what a command takes as it is so that it is no flag. */
export function idWords(...ids: readonly string[]): string[] {
  return ids.some((id) => id.startsWith("-")) ? ["--", ...ids] : [...ids];
}

const DEFAULT_ROOT = "http://localhost:7070";
/** Longer texts are no argument of a program: Linux takes 128 KiB. */
const ARGUMENT_CHARS_MAX = 100_000;

type Part = string | FileValue;
type Style = { indent: string; true: string; false: string; null: string };

const JSON_STYLE: Style = { indent: "  ", true: "true", false: "false", null: "null" };
const PYTHON_STYLE: Style = { indent: "    ", true: "True", false: "False", null: "None" };
/** What is shorter stands in one line. */
const LINE_CHARS = 80;

// -- curl ------------------------------------------------------------------------------------------------

/** How the id is read from what curl gives, which is shown too; workflows alone have no `Location`. */
const ID_OF_LOCATION = "sed -n 's/^[Ll]ocation:.*\\///p' | tr -d '\\r'";
const ID_OF_WORKFLOW = `tee /dev/stderr | grep -o '"workflow_id":"[^"]*"' | head -n 1 | cut -d '"' -f 4`;

export function asCurl({ calls, creates, random }: Recipe, root: string): string {
  const isUsed = calls.some(({ path }) => path.includes(MADE));
  // Bodies are in single quotes.
  const anew = (text: string): string => (random ? text.replaceAll(random, `'"$run"'`) : text);
  return chained([
    ...(random ? ["run=$(date +%s)$$"] : []),
    ...calls.map((call, place) => {
      const catches = place === 0 && isUsed && creates !== undefined;
      const isByHeader = catches && creates !== "workflow";
      const options = ["-sS", "--fail-with-body", ...(isByHeader ? ["-D", "-", "-o", "/dev/stderr"] : [])];
      if (call.method !== "POST" || (call.body === undefined && call.upload === undefined)) {
        options.push("-X", call.method);
      }
      const [before, content] = contentOf(call);
      const url = call.path.split(MADE).map((part, at) => (at === 0 ? `${root}${part}` : part));
      const line = [`${anew(before)}curl ${shellLine(options)}`, ...content.map(anew), joined(url)].join(" ");
      if (!catches) return line;
      return caught(line, isByHeader ? ID_OF_LOCATION : ID_OF_WORKFLOW);
    }),
  ]);
}

/** Keep the id that a command prints, and go on only if there is one. */
function caught(line: string, reader: string): string {
  return `id=$(${line} | ${reader}) && [ -n "$id" ]`;
}

/** Run one line after the other, up to the first that fails. */
function chained(all: readonly string[]): string {
  return all.length > 0 ? `${all.join(" &&\n")}\n` : "";
}

/** Put a shell's `$id` between the parts of a word. */
function joined(parts: readonly string[]): string {
  return parts.map((part) => (part === "" ? "" : shellWord(part))).join('"$id"');
}

function contentOf({ body, upload }: Call): [before: string, words: string[]] {
  if (upload !== undefined) return ["", ["-F", shellWord(`file=@${formName(upload)}`)]];
  if (body === undefined) return ["", []];
  const header = `-H ${shellWord("Content-Type: application/json")}`;
  const parts = written(body, JSON_STYLE);
  const text = parts
    .map((part) =>
      part instanceof FileValue
        ? `'"'"$(base64 < ${shellWord(pathOf(part.fileName))} | tr -d '\\n')"'"'`
        : shellWord(part),
    )
    .join("");
  const isShort = parts.length === 1 && text.length < ARGUMENT_CHARS_MAX;
  return isShort
    ? ["", [header, "--data-raw", text]]
    : [`printf %s ${text} | `, [header, "--data-binary", "@-"]];
}

/** Quote a file's name for curl's forms, where commas and semicolons mean something. */
function formName(name: string): string {
  return /[,;"\\]/.test(name) ? `"${pathOf(name).replace(/[\\"]/g, "\\$&")}"` : pathOf(name);
}

/** Keep a name that begins as an option does from being one. */
function pathOf(name: string): string {
  return name.startsWith("-") ? `./${name}` : name;
}

// -- the command line -------------------------------------------------------------------------------------

const ID_OF_ANSWER = `sed -n 's/^  "id": "\\(.*\\)",$/\\1/p'`;

export function asCli({ commands, files = [] }: Recipe, root: string): string {
  const isUsed = commands.some(({ words }) => words.includes(MADE));
  const address = root === DEFAULT_ROOT ? [] : ["-m", root];
  return (
    files.map(({ name, text }) => heredoc(name, text)).join("") +
    chained([
      ...commands.map(({ words, stdin }, place) => {
        const catches = place === 0 && isUsed;
        const line = ["propeller", ...address, ...words, ...(catches ? ["--json"] : [])]
          .map((word) => (word === MADE ? '"$id"' : shellWord(word)))
          .join(" ");
        const whole = stdin === undefined ? line : `printf %s ${shellWord(stdin)} | ${line}`;
        return catches ? caught(whole, ID_OF_ANSWER) : whole;
      }),
    ])
  );
}

/** Write a flag with its value as one word, so that a value that begins with a dash is none. */
export function flag(name: string, value: string): string {
  return `--${name}=${value}`;
}

export function csv(parts: readonly string[]): string {
  return parts.map(csvPart).join(",");
}

function heredoc(name: string, text: string): string {
  const all = new Set(text.split("\n"));
  let end = "END";
  for (let number = 2; all.has(end); number++) end = `END_${number}`;
  return `cat > ${shellWord(pathOf(name))} <<'${end}'\n${text.endsWith("\n") ? text : `${text}\n`}${end}\n`;
}

// -- Python -----------------------------------------------------------------------------------------------

const ID_IN_PYTHON = {
  task: 'made["id"]',
  workflow: 'made["tasks"][0]["workflow_id"]',
  job: 'made["job_id"]',
} as const;

/** Give a program that needs Propeller's own client. */
export function asPython({ calls, creates, random }: Recipe, root: string): string {
  const isUsed = creates !== undefined && calls.some(({ path }) => path.includes(MADE));
  const bodies = calls.map(({ body }) => (body === undefined ? [] : written(body, PYTHON_STYLE, "    ")));
  const anew = (text: string): string =>
    random ? text.replaceAll(`${random}"`, '" + run').replaceAll(random, '" + run + "') : text;
  const hasFiles = bodies.flat().some((part) => part instanceof FileValue);
  const reads = hasFiles || calls.some(({ upload }) => upload !== undefined);
  return lines([
    ...(hasFiles ? ["import base64"] : []),
    ...(random ? ["import secrets"] : []),
    ...(reads ? ["from pathlib import Path"] : []),
    ...(reads || random ? [""] : []),
    "from propeller.client.api import Client",
    "",
    ...(random ? ["run = secrets.token_hex(4)"] : []),
    `with Client(${quotedText(root)}) as client:`,
    ...calls.flatMap((call, place) => {
      const catches = isUsed && place === 0;
      const line = `    ${catches ? "made = " : ""}${anew(callInPython(call, bodies[place] ?? []))}`;
      return catches ? [line, `    id_ = ${ID_IN_PYTHON[creates]}`] : [line];
    }),
  ]);
}

function callInPython({ method, path, body, upload }: Call, parts: readonly Part[]): string {
  const where = path.includes(MADE) ? `f${quotedText(path).replace(MADE, "{id_}")}` : quotedText(path);
  if (upload !== undefined) {
    const name = quotedText(upload);
    return `client.upload_task_file(id_, ${name}, Path(${name}).read_bytes())`;
  }
  if (body === undefined) return `client.request("${method}", ${where})`;
  const text = parts
    .map((part) =>
      part instanceof FileValue
        ? `base64.b64encode(Path(${quotedText(part.fileName)}).read_bytes()).decode()`
        : part,
    )
    .join("");
  return `client.request("${method}", ${where}, json=${text})`;
}

// -- what they share --------------------------------------------------------------------------------------

function lines(all: readonly string[]): string {
  return `${all.join("\n")}\n`;
}

/** Write a value; files are parts of their own. */
function written(value: BodyValue, style: Style, before = ""): Part[] {
  const merged: Part[] = [];
  for (const part of partsOf(value, style, before)) {
    const last = merged.at(-1);
    if (typeof part === "string" && typeof last === "string") merged[merged.length - 1] = last + part;
    else merged.push(part);
  }
  return merged;
}

function partsOf(value: BodyValue, style: Style, before: string): Part[] {
  if (value instanceof FileValue) return [value];
  if (value === null) return [style.null];
  if (typeof value === "boolean") return [value ? style.true : style.false];
  if (typeof value === "number") return [JSON.stringify(value)];
  if (typeof value === "string") return [quotedText(value)];
  const inner = before + style.indent;
  const isList = Array.isArray(value);
  const entries: Part[][] = isList
    ? value.map((one: BodyValue) => partsOf(one, style, inner))
    : Object.entries(value)
        .filter((entry): entry is [string, BodyValue] => entry[1] !== undefined)
        .map(([name, one]) => [`${quotedText(name)}: `, ...partsOf(one, style, inner)]);
  const [open, close] = isList ? ["[", "]"] : ["{", "}"];
  if (entries.length === 0) return [open + close];
  if (isShort(entries)) {
    return [open, ...entries.flatMap((entry, at) => (at ? [", ", ...entry] : entry)), close];
  }
  return [
    open,
    ...entries.flatMap((entry, at) => [`${at ? "," : ""}\n${inner}`, ...entry]),
    `\n${before}${close}`,
  ];
}

function isShort(entries: readonly Part[][]): boolean {
  let chars = 0;
  for (const part of entries.flat()) {
    if (part instanceof FileValue || part.includes("\n")) return false;
    chars += part.length + 1;
  }
  return chars < LINE_CHARS;
}

import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { env } from "node:process";
import { describe, expect, it } from "vitest";
import { csvPart, quotedText, shellWord } from "../src/parts/quoting";
import {
  asCli,
  asCurl,
  asPython,
  csv,
  FileValue,
  flag,
  MADE,
  type Recipe,
  recipeOf,
} from "../src/parts/recipe";

const TEXTS = [
  "",
  "plain",
  "-x",
  "~",
  "=ls",
  "two words",
  "it's",
  '"quoted"',
  "$HOME `id` $(id) \\ \\n ! !! *",
  "a\nb\n",
  "tab\tand \u001b[31m and \r and it's \\",
  "\u0085 \u202e \u2028",
  "ü 中 🙂",
  "<img src=x onerror=alert(1)>; rm -rf #",
  "{id}",
];

const shell = (script: string, cwd = "."): string =>
  execFileSync("bash", ["-c", script], { encoding: "utf8", cwd, env: { ...env, LC_ALL: "C.UTF-8" } });

describe("words of a shell", () => {
  it.each(TEXTS)("mean what they were: %j", (text) => {
    expect(shell(`printf '%s|' ${shellWord(text)}`)).toBe(`${text}|`);
    expect(shell(`set -- --x=${shellWord(text)}; printf '%s|' "$1"`)).toBe(`--x=${text}|`);
  });

  it("have nothing in them that a terminal acts on", () => {
    for (const text of TEXTS) expect(shellWord(text)).not.toMatch(/[^\n\u0020-\u007e\u00a0-\uffff]/);
  });

  it("leave plain ones alone", () => {
    expect(shellWord("tasks")).toBe("tasks");
    expect(shellWord("--inputs=10,20")).toBe("--inputs=10,20");
    expect(shellWord("it's")).toBe("'it'\\''s'");
  });
});

describe("texts of JSON and Python", () => {
  it.each(TEXTS)("mean what they were: %j", (text) => {
    expect(JSON.parse(quotedText(text))).toBe(text);
  });
});

it("quotes a part of a list only where it has to", () => {
  expect(csv(["10", "a b", "a,b", 'say "x"', ""])).toBe('10,a b,"a,b","say ""x""",""');
  expect(csvPart("it's")).toBe("it's");
});

const ROOT = "http://localhost:7070";
const STOP = recipeOf("POST", "/workflows/a%20b/stop", ["workflows", "stop", "a b"]);

describe("one request", () => {
  it("by curl", () => {
    expect(asCurl(STOP, ROOT)).toBe(
      "curl -sS --fail-with-body -X POST http://localhost:7070/workflows/a%20b/stop\n",
    );
    expect(asCurl(recipeOf("DELETE", "/tasks/t", []), `${ROOT}/it's`)).toBe(
      "curl -sS --fail-with-body -X DELETE 'http://localhost:7070/it'\\''s/tasks/t'\n",
    );
  });

  it("by the command line, which is told of another manager only", () => {
    expect(asCli(STOP, ROOT)).toBe("propeller workflows stop 'a b'\n");
    expect(asCli(STOP, "https://x.example/p")).toBe(
      "propeller -m https://x.example/p workflows stop 'a b'\n",
    );
  });

  it("in Python, whose values have other words", () => {
    const recipe = recipeOf("POST", "/jobs/j/rerun", [], {
      what: null,
      from: "t'\"\\",
      more: [true, 1.5, {}],
    });
    expect(asPython(recipe, ROOT)).toBe(
      "from propeller.client.api import Client\n\n" +
        'with Client("http://localhost:7070") as client:\n' +
        '    client.request("POST", "/jobs/j/rerun", json={"what": None, "from": "t\'\\"\\\\", "more": [True, 1.5, {}]})\n',
    );
  });
});

const TASK: Recipe = {
  creates: "task",
  calls: [
    { method: "POST", path: "/tasks", body: { name: "it's", inputs: ["$x", 2], env: undefined } },
    { method: "PUT", path: `/tasks/${MADE}/upload`, upload: "a;b.wasm" },
    { method: "POST", path: `/tasks/${MADE}/start` },
  ],
  commands: [
    { words: ["tasks", "create", "it's", flag("inputs", csv(["$x", "2"])), "--stdin", "-"], stdin: "a\nb" },
    { words: ["tasks", "start", MADE] },
  ],
};

/** Run a script with programs that write down how they were called. */
function called(script: string, answer: string): string[][] {
  const folder = mkdtempSync(join(tmpdir(), "recipe-"));
  writeFileSync(join(folder, "answer"), answer);
  writeFileSync(join(folder, "big.wasm"), "\0asm");
  for (const name of ["curl", "propeller"]) {
    writeFileSync(
      join(folder, name),
      '#!/bin/bash\nprintf "%s\\0" "$@" "in:$([ -p /dev/stdin ] && cat)" >> calls; printf "\\n\\0" >> calls; cat answer\n',
      { mode: 0o755 },
    );
  }
  shell(`PATH=$PWD:$PATH; ${script}`, folder);
  return readFileSync(join(folder, "calls"), "utf8")
    .split("\n\0")
    .slice(0, -1)
    .map((one) => one.split("\0").slice(0, -1));
}

describe("several requests", () => {
  it("by curl go on with the id that the first one gives", () => {
    const calls = called(asCurl(TASK, ROOT), "HTTP/1.1 201 Created\r\nlocation: /tasks/t-1\r\n\r\n");
    expect(calls.map((words) => words.at(-2))).toEqual([
      `${ROOT}/tasks`,
      `${ROOT}/tasks/t-1/upload`,
      `${ROOT}/tasks/t-1/start`,
    ]);
    const body = calls[0]?.[calls[0].indexOf("--data-raw") + 1] ?? "";
    expect(JSON.parse(body)).toEqual({ name: "it's", inputs: ["$x", 2] });
    expect(calls[1]).toContain('file=@"a;b.wasm"');
  });

  it("by curl find the id of a workflow, which is in its tasks", () => {
    const recipe: Recipe = {
      creates: "workflow",
      calls: [
        {
          method: "POST",
          path: "/workflows",
          body: { tasks: [{ name: "it's", file: new FileValue("big.wasm") }] },
        },
        { method: "POST", path: `/workflows/${MADE}/start` },
      ],
      commands: [],
    };
    const calls = called(
      asCurl(recipe, ROOT),
      '{"tasks":[{"id":"t","workflow_id":"w-1"},{"workflow_id":"w-1"}]}',
    );
    expect(calls[1]?.at(-2)).toBe(`${ROOT}/workflows/w-1/start`);
    expect(JSON.parse(calls[0]?.at(-1)?.slice(3) ?? "")).toEqual({
      tasks: [{ name: "it's", file: "AGFzbQ==" }],
    });
  });

  it("by the command line too", () => {
    const calls = called(
      asCli(TASK, ROOT),
      '{\n  "id": "t-1",\n  "name": "x",\n  "env": {\n    "id": "no"\n  }\n}\n',
    );
    expect(calls).toEqual([
      ["tasks", "create", "it's", "--inputs=$x,2", "--stdin", "-", "--json", "in:a\nb"],
      ["tasks", "start", "t-1", "in:"],
    ]);
  });

  it("write the files that they read, whatever is in them", () => {
    const text = "name: $x\nEND\n`id`\nlast";
    const recipe = { calls: [], commands: [], files: [{ name: "it's.yaml", text }] };
    expect(shell(`cd $(mktemp -d); ${asCli(recipe, ROOT)}cat "it's.yaml"`)).toBe(`${text}\n`);
  });

  it("in Python", () => {
    expect(asPython(TASK, ROOT)).toBe(
      [
        "from pathlib import Path",
        "",
        "from propeller.client.api import Client",
        "",
        'with Client("http://localhost:7070") as client:',
        '    made = client.request("POST", "/tasks", json={"name": "it\'s", "inputs": ["$x", 2]})',
        '    id_ = made["id"]',
        '    client.upload_task_file(id_, "a;b.wasm", Path("a;b.wasm").read_bytes())',
        '    client.request("POST", f"/tasks/{id_}/start")',
        "",
      ].join("\n"),
    );
  });
});

it("goes on only when there is an id", () => {
  expect(() => called(asCurl(TASK, ROOT), "")).toThrow();
  expect(() => called(asCli(TASK, ROOT), "{}\n")).toThrow();
});

import { describe, expect, it } from "vitest";
import { errorsAt, partOf, placed } from "../src/pages/new/field-errors";
import {
  bodyOf,
  EMPTY_TASK,
  type ModuleView,
  problemsOf,
  recipeOfTask,
  suggestedName,
  type TaskDraft,
  withNeeds,
} from "../src/pages/new/task-draft";
import { inputOf, problemOf, rangeOf } from "../src/pages/new/values";
import { asCli } from "../src/parts/recipe";

describe("inputs by type", () => {
  it.each([
    ["i32", "2147483648", null],
    ["i32", " -0x10 ", null],
    ["i32", "4294967296", "from -2147483648 to 4294967295"],
    ["i32", "1.5", "whole number"],
    ["i32", "", "Write a"],
    ["i64", "18446744073709551615", null],
    ["i64", "18446744073709551616", "to 18446744073709551615"],
    ["s64", "-9223372036854775808", null],
    ["s64", "9223372036854775808", "to 9223372036854775807"],
    ["u8", "256", "from 0 to 255"],
    ["u8", "-1", "from 0 to 255"],
    ["f64", "1e400", null],
    ["f64", ".5", null],
    ["f32", "-inf", null],
    ["f32", "0x1.8p3", null],
    ["f32", "1,5", "It has to be a number"],
    ["bool", "true", null],
    ["bool", "", "true or false"],
    ["char", "🙂", null],
    ["char", "'a'", null],
    ["char", "ab", "one character"],
    ["string", "", null],
    ["list<u8>", "", "Write a"],
    ["list<u8>", "[1, 2]", null],
  ])("%s takes %j: %s", (type, text, problem) => {
    if (problem === null) expect(problemOf(type, text)).toBeNull();
    else expect(problemOf(type, text)).toContain(problem);
  });

  it("are numbers where nothing is lost by that, and texts otherwise", () => {
    expect(inputOf("i32", " 10 ", false)).toBe(10);
    expect(inputOf("i64", "9007199254740993", false)).toBe("9007199254740993");
    expect(inputOf("s64", "9007199254740991", true)).toBe(9007199254740991);
    expect(inputOf("i32", "0x10", false)).toBe("0x10");
    expect(inputOf("i32", "-0", false)).toBe("-0");
    expect(inputOf("f64", "1.0", false)).toBe("1.0");
    expect(inputOf("string", " 10 ", false)).toBe(" 10 ");
  });

  it("are in quotes for components", () => {
    expect(inputOf("string", `it's "x" \\ a\nb`, true)).toBe(`"it's \\"x\\" \\\\ a\\u{a}b"`);
    expect(inputOf("char", "'", true)).toBe("'\\''");
    expect(inputOf("char", "'a'", true)).toBe("'a'");
    expect(inputOf("list<string>", '["a"]', true)).toBe('["a"]');
  });

  it("have a range only where they are whole numbers", () => {
    expect(rangeOf("s8")).toEqual([-128n, 127n]);
    expect(rangeOf("f32")).toBeNull();
    expect(rangeOf("string")).toBeNull();
  });
});

describe("refusals", () => {
  it("are placed by the field that they name", () => {
    expect(placed("inputs[0]: is no number")).toEqual({ field: "inputs[0]", message: "is no number" });
    expect(placed("retry.max_attempts: 0")).toEqual({ field: "retry.max_attempts", message: "0" });
    expect(placed("tasks[3].inputs: x: y")).toEqual({ field: "tasks[3].inputs", message: "x: y" });
    expect(placed("No room: try later")).toEqual({ field: "", message: "No room: try later" });
  });

  it("stand at the closest part of the form", () => {
    const shown = ["inputs", "inputs[0]", "grants", "grants.dirs"];
    expect(partOf("inputs[0]", shown)).toBe("inputs[0]");
    expect(partOf("inputs[1]", shown)).toBe("inputs");
    expect(partOf("grants.dirs[0].host", shown)).toBe("grants.dirs");
    expect(partOf("inputsish", shown)).toBe("");
    expect(errorsAt("grants.dirs", { "grants.dirs[0].host": "is no path" }, shown)).toEqual([
      "[0].host: is no path",
    ]);
  });
});

const MODULE: ModuleView = {
  kind: "module",
  size: 1,
  digest: "sha256:0",
  imports: [],
  exports: [],
  functions: [
    { name: "add", params: [i("i64"), i("i64")], results: ["i64"] },
    { name: "main", params: [i("i32"), i("i32")], results: ["i32"] },
  ],
  needs: [],
  obstacles: [],
  example: null,
  wasm: "",
};

function i(type: string): { name: string; type: string; example: string } {
  return { name: "", type, example: "1" };
}

describe("a task", () => {
  it("runs main unless told otherwise", () => {
    expect(suggestedName(MODULE)).toBe("main");
    expect(suggestedName({ ...MODULE, kind: "component-http", functions: [] })).toBe("_start");
    expect(suggestedName({ ...MODULE, functions: [] })).toBe("");
  });

  it("says what is missing", () => {
    expect(problemsOf(EMPTY_TASK, null)).toEqual({ file: "Choose a .wasm or .wat file." });
    const draft: TaskDraft = { ...EMPTY_TASK, inputs: ["1"], env: "A", attempts: "x", priority: "-1" };
    expect(Object.keys(problemsOf(draft, MODULE))).toEqual([
      "inputs[1]",
      "env",
      "retry.max_attempts",
      "priority",
    ]);
  });

  it("has only what was written", () => {
    const draft = { ...EMPTY_TASK, inputs: ["10", "20"], timezone: "Europe/Berlin" };
    expect(JSON.parse(JSON.stringify(bodyOf(draft, MODULE)))).toEqual({ name: "main", inputs: [10, 20] });
  });

  it("gets a port if its module answers HTTP", () => {
    const module = { ...MODULE, needs: [{ grant: "grants.listen", text: "" }] };
    expect(withNeeds(EMPTY_TASK, module).listens).toBe(true);
    expect(withNeeds({ ...EMPTY_TASK, listens: true }, MODULE).listens).toBe(false);
  });

  it("is copied with all that was written", () => {
    const program: ModuleView = { ...MODULE, kind: "command", functions: [] };
    const draft: TaskDraft = {
      ...EMPTY_TASK,
      args: "-v\na,b\n\nit's\n",
      stdin: "in\n",
      env: "A=1=2\nB=x,y",
      timeout: "30s",
      attempts: "3",
      delay: "2s",
      priority: "7",
      tags: "gpu, eu",
      dirs: "/srv/a:/b:rw\n/c",
      hosts: "example.com",
      memory: "64MiB",
      metadata: "k=v",
      isDaemon: true,
    };
    const body = bodyOf(draft, program);
    expect(JSON.parse(JSON.stringify(body))).toEqual({
      name: "_start",
      cli_args: ["-v", "a,b", "", "it's"],
      stdin: "in\n",
      env: { A: "1=2", B: "x,y" },
      timeout: "30s",
      retry: { max_attempts: 3, delay: "2s" },
      priority: 7,
      required_tags: ["gpu", "eu"],
      daemon: true,
      metadata: { k: "v" },
      grants: { dirs: [{ host: "/srv/a", guest: "/b", mode: "rw" }, { host: "/c" }], http: ["example.com"] },
      limits: { memory: "64MiB" },
    });
    expect(asCli(recipeOfTask(body, "my app.wasm"), "http://localhost:7070")).toBe(
      "id=$(printf %s 'in\n' | propeller tasks create '--file=my app.wasm' '--cli-args=-v,\"a,b\",\"\",it'\\''s' " +
        "--required-tags=gpu,eu --stdin=- --env=A=1=2 '--env=\"B=x,y\"' --metadata=k=v --timeout=30s --priority=7 " +
        "--retry=max_attempts=3,delay=2s --limits=memory=64MiB --daemon " +
        '\'--grants={"dirs":[{"host":"/srv/a","guest":"/b","mode":"rw"},{"host":"/c"}],"http":["example.com"]}\' ' +
        '_start --json | sed -n \'s/^  "id": "\\(.*\\)",$/\\1/p\') && [ -n "$id" ] &&\npropeller tasks start "$id"\n',
    );
  });
});

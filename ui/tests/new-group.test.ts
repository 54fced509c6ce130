import { describe, expect, it } from "vitest";
import { rangeOfLine } from "../src/pages/new/editor-lines";
import {
  fileFor,
  filled,
  type Given,
  keyOf,
  mistakeOf,
  type Need,
  randomOf,
  recipeOfGroup,
} from "../src/pages/new/group-request";
import { previewOf } from "../src/pages/new/preview-layout";
import type { ModuleView } from "../src/pages/new/task-draft";
import { asCli, asCurl, asPython, FileValue } from "../src/parts/recipe";

const MODULE: ModuleView = {
  kind: "module",
  size: 1,
  digest: "",
  imports: [],
  exports: [],
  functions: [{ name: "add", params: [], results: [] }],
  needs: [],
  obstacles: [],
  example: null,
  wasm: "",
};
const ADD: Need = {
  name: "lib/add.wasm",
  field: "file",
  tasks: ["tasks[0]", "tasks[1].workflow.tasks[0]"],
  line: 2,
};
const WORDS: Need = { name: "words.txt", field: "stdin", tasks: ["tasks[0]"], line: 5 };
const REQUEST = {
  tasks: [
    { id: "a-0123abcd" },
    { id: "b-0123abcd", depends_on: ["a-0123abcd"], workflow: { tasks: [{ name: "f" }] } },
  ],
};

describe("a request", () => {
  const given = new Map<string, Given>([
    [keyOf(ADD), { field: "file", module: MODULE, value: "AGFzbQ==" }],
    [keyOf(WORDS), { field: "stdin", text: "in" }],
  ]);

  it("gets the files that it needs, and the names that its modules say", () => {
    const { request, mistakes } = filled(REQUEST, [ADD, WORDS], given);
    expect(mistakes).toEqual([]);
    expect(request.tasks).toEqual([
      { id: "a-0123abcd", file: "AGFzbQ==", name: "add", stdin: "in" },
      {
        id: "b-0123abcd",
        depends_on: ["a-0123abcd"],
        workflow: { tasks: [{ name: "f", file: "AGFzbQ==" }] },
      },
    ]);
    expect(REQUEST.tasks[0]).toEqual({ id: "a-0123abcd" });
  });

  it("is wrong where a module leaves open what runs", () => {
    const two = { ...MODULE, functions: [...MODULE.functions, { name: "sub", params: [], results: [] }] };
    const open = new Map<string, Given>([[keyOf(ADD), { field: "file", module: two, value: "" }]]);
    expect(filled(REQUEST, [ADD], open).mistakes).toEqual([
      {
        line: 2,
        field: "tasks[0].name",
        message: "lib/add.wasm has several functions (add, sub): say by name which one is to run",
      },
    ]);
  });

  it("finds its files by path, or by name in whatever folder", () => {
    expect(fileFor(ADD, new Map([["add.wasm", 1]]))).toBe(1);
    expect(fileFor(ADD, new Map([["other.wasm", 1]]))).toBeUndefined();
  });

  it("has other ids each time that it is pasted", () => {
    expect(randomOf({ tasks: [{ id: "a" }] }, "a")).toBeNull();
    const random = randomOf(REQUEST, "a");
    expect(random).toBe("0123abcd");
    const recipe = recipeOfGroup("job", REQUEST, { name: "w.yaml", text: null, others: [] }, random);
    expect(asCurl(recipe, "http://h")).not.toContain(random);
    expect(asCurl(recipe, "http://h")).toContain(`"a-'"$run"'"`);
    expect(asPython(recipe, "http://h")).not.toContain(random);
    expect(asPython(recipe, "http://h")).toContain('"id": "a-" + run');
  });

  it("is copied as a file to run, or as requests with the files beside it", () => {
    const request = { tasks: [{ name: "f", file: new FileValue("lib/add.wasm") }] };
    const recipe = recipeOfGroup("workflow", request, { name: "w.yaml", text: null, others: [] });
    expect(asCli(recipe, "http://localhost:7070")).toBe("propeller workflows run --detach w.yaml\n");
    expect(asCurl(recipe, "http://h")).toContain("$(base64 < lib/add.wasm | tr -d '\\n')");
    expect(asPython(recipe, "http://h")).toContain('base64.b64encode(Path("lib/add.wasm").read_bytes())');
    const timed = recipeOfGroup(
      "job",
      { schedule: "@daily", tasks: [] },
      { name: "j", text: "x", others: [] },
    );
    expect(timed.calls.map(({ path }) => path)).toEqual(["/jobs?file=false"]);
    expect(asCli(timed, "http://localhost:7070")).toBe(
      "cat > j <<'END'\nx\nEND\npropeller jobs run --detach j\n",
    );
  });
});

it("places a refusal at the line of its task", () => {
  const tasks = [{ line: 3 }, { line: 7 }];
  expect(mistakeOf("tasks[1].inputs", "no", tasks)).toEqual({
    line: 7,
    field: "tasks[1].inputs",
    message: "no",
  });
  expect(mistakeOf("name", "no", tasks).line).toBe(0);
});

it("finds where a line is", () => {
  expect(rangeOfLine("ab\nc\n", 1)).toEqual([0, 2]);
  expect(rangeOfLine("ab\nc\n", 2)).toEqual([3, 4]);
  expect(rangeOfLine("ab\nc\n", 3)).toEqual([5, 5]);
  expect(rangeOfLine("ab", 9)).toEqual([0, 2]);
});

describe("the graph before it is created", () => {
  const tasks = ["a", "b", "c"].map((id) => ({ id, name: "main" }));

  it("has a box for each task, children to the right of their parents", () => {
    const { boxes, x, edges } = previewOf(
      tasks,
      [
        ["a", "b"],
        ["a", "c"],
        ["a", "gone"],
      ],
      false,
      1,
    );
    expect(boxes).toBe(3);
    expect(edges.length).toBe(4);
    expect(x[1]).toBeGreaterThan(x[0] ?? 0);
  });

  it("shows a sequence as one", () => {
    expect([...previewOf(tasks, [], true, 1).edges]).toEqual([0, 1, 1, 2]);
  });

  it("stands a cycle, which is a mistake and no reason to hang", () => {
    expect(
      previewOf(
        tasks,
        [
          ["a", "b"],
          ["b", "a"],
        ],
        false,
        1,
      ).boxes,
    ).toBe(3);
  });

  it("folds many that are alike", () => {
    const many = Array.from({ length: 2_000 }, (_, place) => ({ id: `t-${place}`, name: "main" }));
    expect(previewOf(many, [], false, 1).boxes).toBe(1);
  });
});

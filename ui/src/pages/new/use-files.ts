// The files that were given for what a workflow or job names: modules, and texts for standard input.

import { useCallback, useState } from "react";
import { FileValue } from "../../parts/recipe";
import { base64Of } from "./base64";
import { fileFor, type Given, keyOf, type Need } from "./group-request";
import { inspect } from "./module-part";
import type { ModuleView } from "./task-draft";

export type Kept = {
  file: File;
  /** What it is as a module; null while the manager looks at it, and for what is none. */
  module: ModuleView | null;
  isLookedAt: boolean;
  error: string;
  /** Its text, or base64 if it is none. */
  input: { text: string } | { base64: string } | null;
};

export type Files = {
  kept: ReadonlyMap<string, Kept>;
  add: (files: readonly File[]) => void;
  clear: () => void;
};

export function useFiles(): Files {
  const [kept, setKept] = useState<ReadonlyMap<string, Kept>>(new Map());
  const add = useCallback((files: readonly File[]) => {
    const change = (file: File, changes: Partial<Kept>): void =>
      setKept((before) => {
        const old = before.get(file.name);
        return old?.file === file ? new Map(before).set(file.name, { ...old, ...changes }) : before;
      });
    for (const file of files) {
      const isModule = /\.(wasm|wat)$/i.test(file.name);
      const first = { file, module: null, isLookedAt: isModule, error: "", input: null };
      setKept((before) => new Map(before).set(file.name, first));
      const found = isModule
        ? inspect(file).then((module) => change(file, { module, isLookedAt: false }))
        : inputOf(file).then((input) => change(file, { input }));
      found.catch((error: unknown) =>
        change(file, {
          isLookedAt: false,
          error: (error instanceof Error ? error.message : String(error)).replace(/^body: /, ""),
        }),
      );
    }
  }, []);
  const clear = useCallback(() => setKept(new Map()), []);
  return { kept, add, clear };
}

async function inputOf(file: File): Promise<{ text: string } | { base64: string }> {
  try {
    return {
      text: new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(await file.arrayBuffer()),
    };
  } catch {
    return { base64: await base64Of(file) };
  }
}

/** Give what fills the needs that have their files. Modules stand as names of files, but for those that came as text. */
export function givenFor(needs: readonly Need[], kept: Files["kept"]): Map<string, Given> {
  const given = new Map<string, Given>();
  for (const need of needs) {
    const one = fileFor(need, kept);
    if (need.field === "stdin" && one?.input) given.set(keyOf(need), { field: "stdin", ...one.input });
    if (need.field === "file" && one?.module) {
      const value = one.module.wasm || new FileValue(need.name);
      given.set(keyOf(need), { field: "file", module: one.module, value });
    }
  }
  return given;
}

/** Put the bytes of modules in place of their names. */
export async function withBytes(
  given: ReadonlyMap<string, Given>,
  needs: readonly Need[],
  kept: Files["kept"],
): Promise<Map<string, Given>> {
  const read = new Map<string, Given>();
  for (const need of needs) {
    const one = given.get(keyOf(need));
    const file = fileFor(need, kept)?.file;
    if (one === undefined || file === undefined) continue;
    const isNamed = one.field === "file" && one.value instanceof FileValue;
    read.set(keyOf(need), isNamed ? { ...one, value: await base64Of(file) } : one);
  }
  return read;
}

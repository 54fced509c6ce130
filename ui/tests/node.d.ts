// The little of Node that tests use; the page itself has none of it.

declare module "node:child_process" {
  type Options = { encoding: "utf8"; cwd: string; env: Record<string, string | undefined> };
  export function execFileSync(file: string, words: readonly string[], options: Options): string;
}

declare module "node:fs" {
  export function mkdtempSync(prefix: string): string;
  export function readFileSync(path: string, encoding: "utf8"): string;
  export function writeFileSync(path: string, text: string, options?: { mode: number }): void;
}

declare module "node:os" {
  export function tmpdir(): string;
}

declare module "node:path" {
  export function join(...parts: string[]): string;
}

declare module "node:process" {
  export const env: Record<string, string | undefined>;
}

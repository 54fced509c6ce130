// Makes a component of a core module that follows the canonical ABI: node embed.mjs MODULE WIT WORLD OUT; lies beside
// its packages then. The WIT is handed over as text: paths outside of the working directory are not found by jco.
import { readFile, writeFile } from "node:fs/promises";
import { componentEmbed, componentNew } from "@bytecodealliance/jco";

const [module, wit, world, out] = process.argv.slice(2);
const binary = await componentEmbed({
  binary: new Uint8Array(await readFile(module)),
  witSource: await readFile(wit, "utf8"),
  world,
});
await writeFile(out, await componentNew(binary, []));

// Inputs by the types of a function's parameters. What the manager would refuse is found while it is typed.

const INTEGER = /^([+-]?)(0[xX][0-9a-fA-F]+|[0-9]+)$/;
const FLOAT = /^[+-]?(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|inf|infinity|nan)$/i;
const HEX_FLOAT = /^[+-]?0x[0-9a-f]+(?:\.[0-9a-f]*)?(?:p[+-]?[0-9]{1,9})?$/i;
const SIZED = /^([suif])([0-9]+)$/;

/** The least and the greatest value of a type of whole numbers; null for other types. Those of core Wasm have no sign of their own. */
export function rangeOf(type: string): [bigint, bigint] | null {
  const [, sort, size] = SIZED.exec(type) ?? [];
  if (size === undefined || sort === "f") return null;
  const bits = BigInt(size);
  const least = sort === "u" ? 0n : -(1n << (bits - 1n));
  const greatest = sort === "s" ? (1n << (bits - 1n)) - 1n : (1n << bits) - 1n;
  return [least, greatest];
}

/** Say what is wrong with an input; null if nothing is. */
export function problemOf(type: string, text: string): string | null {
  const given = text.trim();
  const range = rangeOf(type);
  if (range !== null) {
    const [least, greatest] = range;
    const wanted = `a whole number from ${least} to ${greatest}`;
    if (given === "") return `Write ${wanted}.`;
    const value = integerOf(given);
    return value === null || value < least || value > greatest ? `It has to be ${wanted}.` : null;
  }
  if (type === "f32" || type === "f64") {
    if (given === "") return "Write a number.";
    return FLOAT.test(given) || HEX_FLOAT.test(given)
      ? null
      : "It has to be a number, such as 1.5, 2e10, inf or nan.";
  }
  if (type === "bool") return given === "true" || given === "false" ? null : "Choose true or false.";
  if (type === "char") return [...text].length === 1 ? null : oneCharacter(given);
  return type === "string" || given !== "" ? null : `Write a value of type ${type}.`;
}

function oneCharacter(given: string): string | null {
  return given.length > 2 && given.startsWith("'") && given.endsWith("'")
    ? null
    : "It has to be one character.";
}

function integerOf(text: string): bigint | null {
  const [, sign, digits] = INTEGER.exec(text) ?? [];
  if (digits === undefined) return null;
  const value = BigInt(digits);
  return sign === "-" ? -value : value;
}

/**
 * Give an input as a request has it: a whole number that JSON and JavaScript have exactly is a number, all else is text,
 * so that nothing is lost. Components take texts and characters in quotes, which people need not write.
 */
export function inputOf(type: string, text: string, isComponent: boolean): number | string {
  const given = text.trim();
  if (isComponent && type === "string") return `"${escaped(text, '"')}"`;
  if (isComponent && type === "char") return [...text].length === 1 ? `'${escaped(text, "'")}'` : given;
  if (rangeOf(type) === null) return type === "string" ? text : given;
  const value = Number(given);
  return Number.isSafeInteger(value) && String(value) === given ? value : given;
}

/** Escape as WAVE does, the notation of components' values. */
function escaped(text: string, quote: string): string {
  return text.replace(/\p{Cc}|["'\\]/gu, (one) => {
    if (one === "\\" || one === quote) return `\\${one}`;
    return one === "'" || one === '"' ? one : `\\u{${one.charCodeAt(0).toString(16)}}`;
  });
}

/** Say whether a value of a type has no sign: the keyboard that a phone shows for such numbers has no minus. */
export function isUnsigned(type: string): boolean {
  return /^u\d+$/.test(type);
}

// Texts as words of a shell and as values of Python, so that what is pasted has the meaning that was copied.

/** What a POSIX shell, Bash and Zsh take as it is. */
const PLAIN = /^[\w./:@%+,-][\w./:=@%+,-]*$/;
/** A terminal may act on these when they are pasted, or show something else. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: it is these that are looked for
const UNSEEN = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g;

/**
 * Quote a word for a shell. A newline stays as it is. What is not seen becomes an escape in `$'…'`, which Bash, Zsh and
 * ksh know. A shell can't have a NUL in a word.
 */
export function shellWord(text: string): string {
  if (PLAIN.test(text)) return text;
  if (!has(UNSEEN, text)) return `'${text.replaceAll("'", "'\\''")}'`;
  const escaped = text.replace(/[\\']/g, "\\$&").replace(UNSEEN, escapedUnit);
  return `$'${escaped}'`;
}

/** Join words to a command. */
export function shellLine(words: readonly string[]): string {
  return words.map(shellWord).join(" ");
}

/** Write a text as JSON and Python have it: what is not seen is an escape. */
export function quotedText(text: string): string {
  return JSON.stringify(text).replace(UNSEEN, escapedUnit);
}

/** Write a part of a list as the command line reads it: in double quotes where it has a comma in it. */
export function csvPart(text: string): string {
  return text === "" || /[,"]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function has(pattern: RegExp, text: string): boolean {
  return text.search(pattern) !== -1;
}

function escapedUnit(unit: string): string {
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`;
}

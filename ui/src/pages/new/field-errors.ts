// Refusals of the manager begin with the field that they are about: `inputs[0]: …`.

const PATH = /^([a-z_]+(?:\[\d+\]|\.[\w-]+)*): /;

export type FieldErrors = Readonly<Record<string, string>>;

/** Find the field that a refusal names, and what it says; "" for one that names none. */
export function placed(message: string): { field: string; message: string } {
  const [whole, field] = PATH.exec(message) ?? [];
  return field === undefined ? { field: "", message } : { field, message: message.slice(whole?.length ?? 0) };
}

/**
 * Give the errors that a part of a form shows: of its own field, and of what is within it, unless another part shows that.
 *
 * @param shown the fields of all parts
 */
export function errorsAt(name: string, errors: FieldErrors, shown: readonly string[]): string[] {
  return Object.entries(errors)
    .filter(([field]) => partOf(field, shown) === name)
    .map(([field, message]) =>
      field === name ? message : `${field.slice(name.length).replace(/^\./, "")}: ${message}`,
    );
}

/** Give the part of a form in which a field is: the longest name that it begins with; "" for none. */
export function partOf(field: string, shown: readonly string[]): string {
  let found = "";
  for (const name of shown) {
    const isIn = field === name || field.startsWith(`${name}.`) || field.startsWith(`${name}[`);
    if (isIn && name.length > found.length) found = name;
  }
  return found;
}

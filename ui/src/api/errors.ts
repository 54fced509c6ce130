// What may become of a request besides its answer.

/** An answer that refuses, in the manager's own words. */
export class Refused extends Error {
  override name = "Refused";

  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

/** No answer came. */
export class Unreachable extends Error {
  override name = "Unreachable";
}

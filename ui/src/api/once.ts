// Names for requests, so that one that is sent again is not carried out twice.

/**
 * Make an `Idempotency-Key`. Keep it over all tries of the same question.
 *
 * `crypto.randomUUID` is there only on https and on this machine; this works elsewhere too.
 */
export function newKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

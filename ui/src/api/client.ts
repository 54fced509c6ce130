// The typed client of the manager. Its types are made from the manager's own OpenAPI document by `script/ui`, so
// a change of the API that the page does not follow breaks the build.

import createClient from "openapi-fetch";
import { Refused, Unreachable } from "./errors";
import type { components, paths } from "./schema";

export { Refused, Unreachable };

export type Shapes = components["schemas"];

/** Where the API begins: `<base>` names the page, and the API lies one step above it. */
export const apiRoot = new URL("..", document.baseURI).href.replace(/\/$/, "");

export const api = createClient<paths>({ baseUrl: apiRoot });

type Answer<Data> = { data?: Data; error?: unknown; response: Response };

/**
 * Give what a request brought.
 *
 * @throws Refused, with the manager's words, or Unreachable
 */
export async function ask<Data>(request: Promise<Answer<Data>>): Promise<Data> {
  let answer: Answer<Data>;
  try {
    answer = await request;
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new Unreachable("The manager does not answer. Is it running? The page tries again by itself.");
  }
  if (!answer.response.ok) throw new Refused(answer.response.status, wordsOf(answer.error, answer.response));
  return answer.data as Data;
}

function wordsOf(error: unknown, response: Response): string {
  if (response.status === 401) {
    return "You are not signed in, or your sign-in has run out. Sign in again, and load this page again.";
  }
  if (typeof error === "object" && error !== null && "error" in error) return String(error.error);
  if (typeof error === "string" && error.trim() && !error.trimStart().startsWith("<")) return error.trim();
  return `The answer was ${response.status} ${response.statusText}, and says no more.`;
}

// Creates what was written: creation, upload of a large module, start. Each is a request of its own, and if one fails
// after the first, something exists; then the page says what, and goes on from there or takes it away.

import { useQueryClient } from "@tanstack/react-query";
import { useCallback, useRef, useState } from "react";
import { useLocation } from "wouter";
import { api, ask, Refused, Unreachable } from "../../api/client";
import { newKey } from "../../api/once";
import { LIVE } from "../../live/overview";

export type Kind = "task" | "workflow" | "job";

export type Wish = {
  kind: Kind;
  /** The request as JSON; without the module, if that is in `upload`. */
  json: string;
  upload: File | null;
  isStarted: boolean;
};

export type Making =
  | { at: "nothing" }
  | { at: "work"; says: string }
  | { at: "refused"; error: unknown }
  /** It was created, and what came then failed. */
  | { at: "half"; id: string; failed: "upload" | "start"; error: unknown }
  | { at: "removing"; id: string; failed: "upload" | "start"; error: unknown };

export type Maker = {
  making: Making;
  /** Create it, and go to its page. Gives why it was not created. */
  make: (wish: Wish) => Promise<unknown>;
  /** Go on with what failed. */
  again: () => Promise<void>;
  /** Delete what was created. */
  remove: () => Promise<void>;
  forget: () => void;
};

/** One creation, over all tries of it. */
type Run = { wish: Wish; id: string; isUploaded: boolean; key: string; startKey: string };

const SAID: Record<"upload" | "start", string> = { upload: "Sending the module", start: "Starting" };

export function useMaker(): Maker {
  const queries = useQueryClient();
  const [, go] = useLocation();
  const [making, setMaking] = useState<Making>({ at: "nothing" });
  const run = useRef<Run | null>(null);

  const onward = useCallback(
    async (now: Run): Promise<unknown> => {
      const { wish } = now;
      if (now.id === "") {
        setMaking({ at: "work", says: "Creating" });
        try {
          now.id = await created(wish, now.key);
        } catch (error) {
          setMaking({ at: "refused", error: unsure(error) });
          return error;
        }
      }
      let step: "upload" | "start" = "upload";
      try {
        if (wish.upload !== null && !now.isUploaded) {
          setMaking({ at: "work", says: SAID[step] });
          await upload(now.id, wish.upload);
          now.isUploaded = true;
        }
        step = "start";
        if (wish.isStarted) {
          setMaking({ at: "work", says: SAID[step] });
          await started(wish.kind, now.id, now.startKey);
        }
      } catch (error) {
        setMaking({ at: "half", id: now.id, failed: step, error });
        void queries.invalidateQueries({ queryKey: [LIVE] });
        return null;
      }
      run.current = null;
      void queries.invalidateQueries({ queryKey: [LIVE] });
      go(`/${wish.kind}s/${encodeURIComponent(now.id)}`);
      return null;
    },
    [queries, go],
  );

  const make = useCallback(
    (wish: Wish) => {
      const before = run.current;
      // The same request keeps its key: if it was carried out and no answer came, it is not carried out again.
      const isSame = before !== null && before.wish.kind === wish.kind && before.wish.json === wish.json;
      const key = isSame ? before.key : newKey();
      run.current = { wish, id: "", isUploaded: false, key, startKey: newKey() };
      return onward(run.current);
    },
    [onward],
  );
  const again = useCallback(async () => {
    if (run.current !== null) await onward(run.current);
  }, [onward]);
  const remove = useCallback(async () => {
    const now = run.current;
    if (now === null || making.at !== "half") return;
    setMaking({ ...making, at: "removing" });
    try {
      await deleted(now.wish.kind, now.id);
    } catch (error) {
      setMaking({ ...making, at: "half", error });
      return;
    }
    run.current = null;
    setMaking({ at: "nothing" });
    void queries.invalidateQueries({ queryKey: [LIVE] });
  }, [making, queries]);
  const forget = useCallback(() => setMaking({ at: "nothing" }), []);
  return { making, make, again, remove, forget };
}

/** Without an answer to a creation nobody knows whether it was carried out. */
function unsure(error: unknown): unknown {
  if (!(error instanceof Unreachable)) return error;
  return new Unreachable(
    "No answer came from the manager, so it may have been created or not. Try again without a change: it is created once.",
  );
}

async function created(wish: Wish, key: string): Promise<string> {
  const params = { header: { "Idempotency-Key": key }, query: { file: false } };
  const body = JSON.parse(wish.json);
  if (wish.kind === "task") return (await ask(api.POST("/tasks", { params, body }))).id;
  if (wish.kind === "job") return (await ask(api.POST("/jobs", { params, body }))).job_id;
  const id = (await ask(api.POST("/workflows", { params, body }))).tasks[0]?.workflow_id;
  if (!id) throw new Error("The manager's answer has no id of a workflow.");
  return id;
}

async function upload(id: string, file: File): Promise<void> {
  const form = new FormData();
  form.append("file", file, file.name);
  await ask(
    api.PUT("/tasks/{id}/upload", {
      params: { path: { id }, query: { file: false } },
      body: { file: file.name },
      bodySerializer: () => form,
    }),
  );
}

async function started(kind: Kind, id: string, key: string): Promise<void> {
  const params = { path: { id }, header: { "Idempotency-Key": key } };
  if (kind === "task") await ask(api.POST("/tasks/{id}/start", { params }));
  else if (kind === "workflow") await ask(api.POST("/workflows/{id}/start", { params }));
  else await ask(api.POST("/jobs/{id}/start", { params }));
}

/** Delete what was created; that it is gone already is as well. */
async function deleted(kind: Kind, id: string): Promise<void> {
  const params = { path: { id } };
  try {
    if (kind === "task") await ask(api.DELETE("/tasks/{id}", { params }));
    else if (kind === "workflow") await ask(api.DELETE("/workflows/{id}", { params }));
    else await ask(api.DELETE("/jobs/{id}", { params }));
  } catch (error) {
    if (!(error instanceof Refused && error.status === 404)) throw error;
  }
}

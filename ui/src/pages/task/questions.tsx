// What is asked before something is done to a task: what will happen, in words, and the request.

import { api, ask } from "../../api/client";
import { newKey } from "../../api/once";
import type { Question } from "../../parts/confirm";
import { flag, idWords, type Recipe, recipeOf } from "../../parts/recipe";
import { hasEnded } from "../../states";
import { shortened, visible } from "../../words";
import type { Action } from "./deeds";
import { draftOf } from "./draft";
import { EditForm } from "./edit";
import { type Owner, ownerOf } from "./owner";
import type { Task } from "./task-query";

const CHILDREN_STAY = "Tasks that depend on it stay as they are; “Rerun from here” runs these too.";

export function questionsOf(task: Task): Record<Action, () => Question> {
  const params = { path: { id: task.id } };
  // Its name is that of a function, which many tasks share.
  const name = `task ${shortened(visible(task.id), 60)}`;
  const owner = ownerOf(task);
  const start = (key: string): Promise<unknown> =>
    ask(api.POST("/tasks/{id}/start", { params: { ...params, header: { "Idempotency-Key": key } } }));
  const rerun = (key: string): Promise<unknown> => {
    const request = {
      params: { path: { id: owner?.id ?? "" }, header: { "Idempotency-Key": key } },
      body: { what: null, from: task.id },
    };
    return owner?.kind === "job"
      ? ask(api.POST("/jobs/{id}/rerun", request))
      : ask(api.POST("/workflows/{id}/rerun", request));
  };
  const place = `/tasks/${encodeURIComponent(task.id)}`;
  const startRecipe = recipeOf("POST", `${place}/start`, ["tasks", "start", ...idWords(task.id)]);
  return {
    start: () => ({
      title: `Start ${name}?`,
      text: owner
        ? "This task runs. Tasks that depend on it follow by themselves, as their conditions say."
        : "The task runs as soon as a proplet has room.",
      action: "Start",
      act: once(start),
      recipe: startRecipe,
    }),
    stop: () => ({
      title: `Stop ${name}?`,
      text: `It becomes interrupted at once, and its proplet ends its run.${owner ? " Tasks that depend on it go by their conditions: most are skipped." : ""} It can be started again.`,
      action: "Stop",
      isDangerous: true,
      recipe: recipeOf("POST", `${place}/stop`, ["tasks", "stop", ...idWords(task.id)]),
      act: once((key) =>
        ask(api.POST("/tasks/{id}/stop", { params: { ...params, header: { "Idempotency-Key": key } } })),
      ),
    }),
    startAgain: () => ({
      title: `Start ${name} again?`,
      text: `It runs as its next attempt. Its results and error are cleared; its past attempts stay in its history.${owner ? ` ${CHILDREN_STAY}` : ""}`,
      action: "Start again",
      act: once(start),
      recipe: startRecipe,
    }),
    rerunFrom: () => ({
      title: `Rerun from ${name}?`,
      text: `This task and all tasks that hang on it run again, each as its next attempt; their results and errors are cleared. All other tasks of the ${owner?.kind} keep theirs. The ${owner?.kind} must have ended.`,
      action: "Rerun from here",
      act: once(rerun),
      ...(owner ? { recipe: rerunFrom(owner, task.id) } : {}),
    }),
    edit: () => {
      const draft = { current: draftOf(task) };
      return {
        title: `Edit inputs of ${name}`,
        text: <EditForm task={task} draft={draft} />,
        action: "Save and start again",
        act: once(async (key) => {
          await ask(api.PUT("/tasks/{id}", { params, body: draft.current.changes() as never }));
          await start(key);
        }),
      };
    },
    remove: () => ({
      title: `Delete ${name}?`,
      text: `The task goes with its results, logs and history${hasEnded(task.state) ? "" : ", and is stopped if it runs"}. This can't be undone. It is refused while other tasks depend on it.`,
      action: "Delete",
      isDangerous: true,
      act: () => ask(api.DELETE("/tasks/{id}", { params })),
      recipe: recipeOf("DELETE", place, ["tasks", "delete", ...idWords(task.id)]),
    }),
  };
}

function rerunFrom(owner: Owner, taskId: string): Recipe {
  const words = [`${owner.kind}s`, "rerun", flag("from", taskId), ...idWords(owner.id)];
  return recipeOf("POST", `/${owner.kind}s/${encodeURIComponent(owner.id)}/rerun`, words, { from: taskId });
}

/** Have all tries of one question be the same request. */
function once(act: (key: string) => Promise<unknown>): () => Promise<unknown> {
  const key = newKey();
  return () => act(key);
}

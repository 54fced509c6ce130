// Who depends on a task, from whoever around it knows all tasks already.

import { createContext } from "react";
import type { Relative } from "./relatives";

/** Gives the children of a task by its id; null where nobody around knows them. */
export const KnownChildren = createContext<((taskId: string) => readonly Relative[]) | null>(null);

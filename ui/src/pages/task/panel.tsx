// All about one task, beside the picture of its workflow or job or as a page of its own.

import { type ReactNode, Suspense, useMemo } from "react";
import { Button, Tab, TabList, TabPanel, Tabs } from "react-aria-components";
import { Link, useSearchParams } from "wouter";
import { later } from "../../live/later";
import { useKeys } from "../../parts/keys";
import { Empty, isGone, notYet, Problem } from "../../parts/messages";
import { Head } from "./head";
import { History } from "./history";
import { Module } from "./module";
import { Settings } from "./settings";
import { Summary } from "./summary";
import { type Task, useTask } from "./task-query";
import "../../parts/dense.css";
import "./panel.css";

const Logs = later(() => import("./logs"));
const Metrics = later(() => import("./metrics"));

export type TaskPanelProps = {
  id: string;
  /** Shows another task in place of this one; without it, its name is a link to its page. */
  onSelect?: (taskId: string) => void;
  /** Closes the panel; without it, the panel is a page. */
  onClose?: () => void;
};

const PARTS = [
  { id: "summary", name: "Summary", letter: "1" },
  { id: "logs", name: "Logs", letter: "2" },
  { id: "history", name: "History", letter: "3" },
  { id: "metrics", name: "Metrics", letter: "4" },
  { id: "module", name: "Module", letter: "5" },
  { id: "settings", name: "Settings", letter: "6" },
] as const;
type Part = (typeof PARTS)[number]["id"];

/** Which part is open is in the address, so that a link shows the same. */
function usePart(): [Part, (part: Part) => void] {
  const [search, change] = useSearchParams();
  const asked = search.get("part");
  const open = (part: Part): void =>
    change(
      (before) => {
        const next = new URLSearchParams(before);
        if (part === "summary") next.delete("part");
        else next.set("part", part);
        return next;
      },
      { replace: true },
    );
  return [PARTS.find((part) => part.id === asked)?.id ?? "summary", open];
}

export function TaskPanel(props: TaskPanelProps): ReactNode {
  const { id, onClose } = props;
  const query = useTask(id);
  const [part, open] = usePart();
  const keys = useMemo(
    () =>
      PARTS.map((one) => ({ keys: one.letter, text: `${one.name} of the task`, act: () => open(one.id) })),
    [open],
  );
  useKeys("Parts of the task", keys, "panel");
  const task = query.data;
  const gone = isGone(query.error);
  return (
    <article className="task-panel" data-page={!onClose || undefined} aria-label="Task">
      {onClose && (
        <Button className="task-close" aria-label="Close the task" onPress={onClose}>
          ×
        </Button>
      )}
      {notYet(query, "the task")}
      {!task && gone && (
        <Empty title="There is no such task">
          <p>It was deleted, or its address is wrong.</p>
          <Link href="/tasks">Go to all tasks</Link>
        </Empty>
      )}
      {task && gone && (
        <div className="task-gone" role="status">
          This task has been deleted. What you see is how it was last.
        </div>
      )}
      {query.error && !gone ? <Problem error={query.error} /> : null}
      {task && (
        <>
          <Head {...props} task={task} isGone={gone} />
          <Tabs selectedKey={part} onSelectionChange={(key) => open(key as Part)} className="task-tabs">
            <TabList aria-label="Parts of the task" className="tab-list">
              {PARTS.map((one) => (
                <Tab key={one.id} id={one.id} className="tab">
                  {one.name}
                </Tab>
              ))}
            </TabList>
            {PARTS.map((one) => (
              <TabPanel key={one.id} id={one.id} className="tab-panel">
                <Suspense fallback={null}>{partOf(one.id, task, props)}</Suspense>
              </TabPanel>
            ))}
          </Tabs>
        </>
      )}
    </article>
  );
}

function partOf(part: Part, task: Task, { onSelect }: TaskPanelProps): ReactNode {
  const select = onSelect && { onSelect };
  switch (part) {
    case "summary":
      return <Summary task={task} {...select} />;
    case "logs":
      return <Logs task={task} />;
    case "history":
      return <History task={task} />;
    case "metrics":
      return <Metrics id={task.id} />;
    case "module":
      return <Module task={task} />;
    case "settings":
      return <Settings task={task} />;
  }
}

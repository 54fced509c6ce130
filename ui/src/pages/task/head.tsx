// What a task is and how it fares: the head of its panel.

import type { ReactNode } from "react";
import { Link } from "wouter";
import { ERROR_WORDS } from "../../kinds";
import { CopyButton } from "../../parts/copy";
import { PropletLink } from "../../parts/proplet-link";
import { State } from "../../parts/state";
import { beginOf } from "../../parts/texts";
import { Time, Took } from "../../parts/time";
import { Value } from "../../parts/value";
import { FAILED, hasEnded, RUNNING } from "../../states";
import { count, shortened, timeOf, visible } from "../../words";
import { Actions } from "./actions";
import { ownerOf } from "./owner";
import type { TaskPanelProps } from "./panel";
import type { Task } from "./task-query";

const NAME_CHARS_MAX = 120;
/** A reason may have the error of an earlier attempt in it, which its history shows. */
const REASON_CHARS_MAX = 240;
/** A longer error is cut, and shown as a whole on demand. */
const ERROR_CHARS_MAX = 600;
const ERROR_LINES_MAX = 6;

export function Head({ task, isGone, onClose }: TaskPanelProps & { task: Task; isGone: boolean }): ReactNode {
  const owner = ownerOf(task);
  return (
    <header className="task-head">
      {!onClose && owner && (
        <Link className="task-owner" href={`/${owner.kind}s/${encodeURIComponent(owner.id)}`}>
          {owner.kind === "workflow" ? "Workflow" : "Job"} {shortened(visible(owner.id), 60)}
        </Link>
      )}
      <h1 className="task-name" title={visible(task.id)}>
        {shortened(visible(task.id), NAME_CHARS_MAX)}
      </h1>
      <div className="task-id">
        <span className="quiet">Function</span>
        <code title={visible(task.name)}>{shortened(visible(task.name), NAME_CHARS_MAX)}</code>
        <CopyButton text={task.id} what="the id" />
        {onClose && <Link href={`/tasks/${encodeURIComponent(task.id)}`}>Open as a page</Link>}
      </div>
      <div className="task-state">
        <State state={task.state} />
        {task.up && <span className="tag">up</span>}
        {!isRest(task) && <Since task={task} />}
      </div>
      {task.reason && (
        <p className="task-reason" title={visible(task.reason)}>
          {shortened(visible(task.reason), REASON_CHARS_MAX)}
        </p>
      )}
      {task.retry_at && !hasEnded(task.state) && (
        <p className="task-reason">
          Tried again <Time at={timeOf(task.retry_at)} relative />.
        </p>
      )}
      {task.error && <Failure task={task} />}
      {!isGone && <Actions task={task} {...(onClose && { onClose })} />}
    </header>
  );
}

function isRest(task: Task): boolean {
  return !timeOf(task.start_time);
}

function Since({ task }: { task: Task }): ReactNode {
  const started = timeOf(task.start_time);
  const finished = timeOf(task.finish_time);
  return (
    <span className="quiet task-since">
      {task.state === RUNNING ? "for " : "took "}
      <Took from={started} to={hasEnded(task.state) ? finished : 0} />
      {(task.attempt ?? 0) > 1 && ` · attempt ${count(task.attempt ?? 0)}`}
      {task.restarts ? ` · restarted ${count(task.restarts)} times` : ""}
      {task.proplet_id && (
        <>
          {" · "}
          <PropletLink id={task.proplet_id} />
        </>
      )}
      {finished > 0 && (
        <>
          {" · "}
          <Time at={finished} relative />
        </>
      )}
    </span>
  );
}

/** Why it failed: the kind in words, and the error. */
function Failure({ task }: { task: Task }): ReactNode {
  const error = (task.error ?? "").trimEnd();
  const isLong = beginOf(error, ERROR_CHARS_MAX, ERROR_LINES_MAX).length < error.length;
  const code = task.exit_code === undefined ? "" : ` ${task.exit_code}`;
  return (
    <div className="task-error" data-failed={task.state === FAILED || undefined}>
      {task.error_kind && (
        <strong>
          {ERROR_WORDS[task.error_kind] ?? task.error_kind}
          {code}
        </strong>
      )}
      {isLong ? (
        <Value value={error} name="Error" linesMax={ERROR_LINES_MAX} />
      ) : (
        <div className="task-error-text">{visible(error)}</div>
      )}
    </div>
  );
}

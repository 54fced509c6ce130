import type { ReactNode } from "react";
import { State } from "../../parts/state";
import { Time, Took } from "../../parts/time";
import { bytes, count, shortened, timeOf, visible } from "../../words";
import { percent } from "../task/samples";
import { useUsage } from "./fleet-query";
import { CELLS_MAX, taskIn } from "./layout";
import { LivenessState } from "./liveness";
import { livenessOf, type PropletView, tagsOf } from "./proplets";

/** What a slot runs and whose it is; -1 stands for the proplet as a whole. */
export function CellWords({ proplet, cell }: { proplet: PropletView; cell: number }): ReactNode {
  const task = taskIn(proplet, cell);
  const liveness = livenessOf(proplet);
  const usage = useUsage(proplet.id);
  return (
    <>
      {cell >= 0 && (
        <div className="words-slot">
          {task ? (
            <>
              <strong>{shortened(visible(task.name), 60)}</strong>
              <code>{shortened(visible(task.task_id), 40)}</code>
              <span>
                <State state={task.state} /> for <Took from={task.started} to={0} />
                {task.attempt > 1 && `, attempt ${count(task.attempt)}`}
              </span>
            </>
          ) : (
            <strong>slot {cell + 1}: free</strong>
          )}
        </div>
      )}
      <div className="words-proplet">
        <strong>{shortened(visible(proplet.name || proplet.id), 40)}</strong>
        <LivenessState of={liveness} />
        <span>
          {count(proplet.task_count)} of {count(proplet.slots)} slots
          {proplet.slots > CELLS_MAX && `, of which ${CELLS_MAX} are shown`}
        </span>
        {usage && (
          <span>
            CPU {percent(usage.cpu)}, memory {bytes(usage.memory)}
          </span>
        )}
        {liveness === "lost" && (
          <span>
            last contact <Time at={timeOf(proplet.last_alive_at)} relative />
          </span>
        )}
        {tagsOf(proplet).length > 0 && <span>{shortened(visible(tagsOf(proplet).join(", ")), 80)}</span>}
      </div>
    </>
  );
}

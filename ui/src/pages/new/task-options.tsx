// What else can be said about a new task; folded, since most need none of it.

import type { ReactNode } from "react";
import { Check, Field } from "./field";
import type { Change } from "./task-call";
import { EnvField } from "./task-call";
import { type ModuleView, type TaskDraft, takesArguments } from "./task-draft";

const ZONES: readonly string[] = Intl.supportedValuesOf("timeZone");

export function TaskOptions(props: {
  draft: TaskDraft;
  module: ModuleView | null;
  isOpen: boolean;
  onOpen: (isOpen: boolean) => void;
  onChange: Change;
}): ReactNode {
  const { draft, module, onChange } = props;
  return (
    <details
      className="card new-options"
      open={props.isOpen}
      onToggle={({ currentTarget }) => props.onOpen(currentTarget.open)}
    >
      <summary>More options</summary>
      <div className="new-options-body">
        <Grants draft={draft} module={module} onChange={onChange} />
        <Times draft={draft} onChange={onChange} />
        <Places draft={draft} onChange={onChange} />
        <Schedule draft={draft} onChange={onChange} />
        <section>
          <h3 className="part-title">Other</h3>
          <div className="form-grid">
            {!takesArguments(draft, module) && (
              <div className="form-wide">
                <EnvField draft={draft} onChange={onChange} />
              </div>
            )}
            <div className="form-wide">
              <Field
                name="metadata"
                label="Metadata"
                hint="KEY=VALUE, one in each line; to find it by"
                lines={2}
                value={draft.metadata}
                onChange={(metadata) => onChange({ metadata })}
                isMono
              />
            </div>
          </div>
        </section>
      </div>
    </details>
  );
}

type PartProps = { draft: TaskDraft; onChange: Change };

function Grants({ draft, module, onChange }: PartProps & { module: ModuleView | null }): ReactNode {
  const needs = new Set(module?.needs.map(({ grant }) => grant));
  const hint = (grant: string, how: string): string =>
    needs.has(grant) ? `The module may ask for this. ${how}` : how;
  return (
    <section>
      <h3 className="part-title">What it may use</h3>
      <div className="form-grid">
        <Field
          name="grants.http"
          label="Hosts"
          hint={hint("grants.http", "It may send HTTP requests to these; * for all.")}
          placeholder="example.com *.example.org"
          value={draft.hosts}
          onChange={(hosts) => onChange({ hosts })}
          isMono
        />
        <Field
          name="limits.memory"
          label="Memory"
          hint={hint("limits.memory", "At most so much; left out: as its proplet says.")}
          placeholder="64MiB"
          value={draft.memory}
          onChange={(memory) => onChange({ memory })}
          isMono
        />
        <div className="form-wide">
          <Field
            name="grants.dirs"
            label="Directories"
            hint={hint("grants.dirs", "HOST[:GUEST][:rw], one in each line; those of the proplet's machine.")}
            placeholder="/srv/data:/data:rw"
            lines={1}
            value={draft.dirs}
            onChange={(dirs) => onChange({ dirs })}
            isMono
          />
        </div>
        <div className="form-wide">
          <Check
            name="grants.listen"
            label="Listen on a port"
            hint="to answer HTTP requests"
            isOn={draft.listens}
            onChange={(listens) => onChange({ listens })}
          />
        </div>
      </div>
    </section>
  );
}

function Times({ draft, onChange }: PartProps): ReactNode {
  return (
    <section>
      <h3 className="part-title">Times and retries</h3>
      <div className="form-grid">
        <Field
          name="timeout"
          label="Timeout"
          hint="How long each attempt may run"
          placeholder="1m30s"
          value={draft.timeout}
          onChange={(timeout) => onChange({ timeout })}
        />
        <Field
          name="deadline"
          label="Deadline"
          hint="How long it may take in all"
          placeholder="10m"
          value={draft.deadline}
          onChange={(deadline) => onChange({ deadline })}
        />
        <Field
          name="queue_timeout"
          label="Queue timeout"
          hint="How long it may wait for a proplet"
          placeholder="5m"
          value={draft.queueTimeout}
          onChange={(queueTimeout) => onChange({ queueTimeout })}
        />
        <Field
          name="retry.max_attempts"
          label="Attempts"
          hint="How many may fail, the first included"
          placeholder="1"
          inputMode="numeric"
          value={draft.attempts}
          onChange={(attempts) => onChange({ attempts })}
        />
        <Field
          name="retry.delay"
          label="Wait between attempts"
          hint="Each is twice the one before"
          placeholder="1s"
          value={draft.delay}
          onChange={(delay) => onChange({ delay })}
        />
      </div>
    </section>
  );
}

function Places({ draft, onChange }: PartProps): ReactNode {
  return (
    <section>
      <h3 className="part-title">Where and how</h3>
      <div className="form-grid">
        <Field
          name="required_tags"
          label="Tags"
          hint="Only proplets that have all of these"
          placeholder="gpu eu"
          value={draft.tags}
          onChange={(tags) => onChange({ tags })}
        />
        <Field
          name="priority"
          label="Priority"
          hint="0 to 100; higher ones go first"
          placeholder="50"
          inputMode="numeric"
          value={draft.priority}
          onChange={(priority) => onChange({ priority })}
        />
        <div className="form-wide new-checks">
          <Check
            name="daemon"
            label="Daemon"
            hint="runs until it is stopped, and is started anew when it crashes"
            isOn={draft.isDaemon}
            onChange={(isDaemon) => onChange({ isDaemon })}
          />
          <Check
            name="latent"
            label="Latent"
            hint="stays deployed, to be invoked many times"
            isOn={draft.isLatent}
            onChange={(isLatent) => onChange({ isLatent })}
          />
          <Check
            name="broadcast"
            label="Broadcast"
            hint="runs on every proplet"
            isOn={draft.isBroadcast}
            onChange={(isBroadcast) => onChange({ isBroadcast })}
          />
        </div>
      </div>
    </section>
  );
}

function Schedule({ draft, onChange }: PartProps): ReactNode {
  return (
    <section>
      <h3 className="part-title">Schedule</h3>
      <div className="form-grid">
        <Field
          name="schedule"
          label="When it runs by itself"
          hint="A cron text, @daily, @hourly …"
          placeholder="0 2 * * MON-FRI"
          value={draft.schedule}
          onChange={(schedule) => onChange({ schedule })}
          isMono
        />
        <Field
          name="timezone"
          label="Zone"
          hint="Left out: UTC"
          placeholder={Intl.DateTimeFormat().resolvedOptions().timeZone}
          suggestions={ZONES}
          value={draft.timezone}
          onChange={(timezone) => onChange({ timezone })}
        />
        {draft.schedule.trim() !== "" && (
          <div className="form-wide">
            <Check
              name="is_recurring"
              label="At each time of the schedule"
              hint="not at the next one only"
              isOn={draft.isRecurring}
              onChange={(isRecurring) => onChange({ isRecurring })}
            />
          </div>
        )}
      </div>
    </section>
  );
}

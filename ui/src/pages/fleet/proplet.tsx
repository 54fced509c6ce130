// One proplet: what it is, what it runs now, what it used, and what ran there.

import type { ReactNode } from "react";
import { Toolbar } from "react-aria-components";
import { Link } from "wouter";
import { CopyButton } from "../../parts/copy";
import { Fact, Facts } from "../../parts/facts";
import { useKeys } from "../../parts/keys";
import { Empty, isGone, notYet, Problem } from "../../parts/messages";
import { Time } from "../../parts/time";
import { useTitle } from "../../parts/title";
import { bytes, count, shortened, timeOf, visible } from "../../words";
import { PROPLET_KEYS, PropletActions, usePropletAsk } from "./acting";
import { useProplet } from "./fleet-query";
import { Earlier, RunningNow } from "./its-tasks";
import { LivenessState } from "./liveness";
import { LIVENESS_MEANING, livenessOf, type PropletView, tagsOf } from "./proplets";
import { SignsOfLife, Usage } from "./usage";
import "../../parts/dense.css";
import "./fleet.css";

export default function PropletPage({ id }: { id: string }): ReactNode {
  const query = useProplet(id);
  const proplet = query.data;
  useTitle(proplet?.name || id);
  const gone = isGone(query.error);
  return (
    <div className="page">
      {notYet(query, "the proplet")}
      {!proplet && gone && (
        <Empty title="There is no such proplet">
          <p>The manager has forgotten it, or the address is wrong.</p>
          <Link href="/proplets">Go to all proplets</Link>
        </Empty>
      )}
      {proplet && gone && (
        <div className="fleet-gone" role="status">
          The manager has forgotten this proplet. What you see is how it was last.
        </div>
      )}
      {query.error && !gone ? <Problem error={query.error} /> : null}
      {proplet && (
        <>
          <Head proplet={proplet} isGone={gone} />
          <div className="proplet-parts">
            <div className="proplet-column">
              <RunningNow proplet={proplet} />
              <Usage id={id} />
              <Earlier id={id} />
            </div>
            <div className="proplet-column">
              <About proplet={proplet} />
              <SignsOfLife id={id} />
            </div>
          </div>
        </>
      )}
    </div>
  );
}

function Head({ proplet, isGone }: { proplet: PropletView; isGone: boolean }): ReactNode {
  const liveness = livenessOf(proplet);
  const ask = usePropletAsk();
  const keys = PROPLET_KEYS.map(({ keys, text, action }) => ({
    keys,
    text,
    act: () => isGone || ask(action, proplet),
  }));
  useKeys("This proplet", keys);
  return (
    <header className="proplet-head">
      <Link href="/proplets">Proplets</Link>
      <h1>{shortened(visible(proplet.name || proplet.id), 80)}</h1>
      <div className="proplet-line">
        <code className="quiet">{visible(proplet.id)}</code>
        <CopyButton text={proplet.id} what="the id" />
      </div>
      <div className="proplet-line">
        <LivenessState of={liveness} />
        <span className="quiet">
          {LIVENESS_MEANING[liveness]} · last contact <Time at={timeOf(proplet.last_alive_at)} relative />
          {liveness === "draining" && (
            <>
              {" · moves its tasks "}
              <Time at={timeOf(proplet.drain_by)} relative />
            </>
          )}
        </span>
      </div>
      {!isGone && (
        <Toolbar className="proplet-line" aria-label="What to do with the proplet">
          <PropletActions proplet={proplet} />
        </Toolbar>
      )}
    </header>
  );
}

// One beside the manager needs no signature, and says nothing of it.
const MESSAGES: Record<string, string> = {
  true: "signed",
  false: "unsigned: who runs the broker could forge them",
};

function About({ proplet }: { proplet: PropletView }): ReactNode {
  const { metadata } = proplet;
  const tags = tagsOf(proplet);
  const facts: [string, ReactNode][] = [
    ["Description", metadata.description && visible(metadata.description)],
    [
      "Tags",
      tags.length > 0 && (
        <span className="fleet-tags wraps">
          {tags.map((tag) => (
            <Link key={tag} className="tag" href={`/proplets?tag=${encodeURIComponent(tag)}`}>
              {visible(tag)}
            </Link>
          ))}
        </span>
      ),
    ],
    ["Slots", count(proplet.slots)],
    ["Messages", MESSAGES[String(proplet.signed)]],
    ["Host", metadata.hostname && visible(metadata.hostname)],
    ["Address", metadata.ip && visible(metadata.ip)],
    ["Location", metadata.location && visible(metadata.location)],
    ["Environment", metadata.environment && visible(metadata.environment)],
    ["System", visible([metadata.os, metadata.cpu_arch].filter(Boolean).join(", "))],
    ["Memory", metadata.total_memory_bytes ? bytes(metadata.total_memory_bytes) : undefined],
    ["Runtime", metadata.wasm_runtime && visible(metadata.wasm_runtime)],
    ["Version", metadata.proplet_version && visible(metadata.proplet_version)],
  ];
  return (
    <section className="card proplet-part">
      <h2>About it</h2>
      <Facts>
        {facts.map(
          ([name, value]) =>
            value && (
              <Fact key={name} name={name}>
                {value}
              </Fact>
            ),
        )}
      </Facts>
    </section>
  );
}

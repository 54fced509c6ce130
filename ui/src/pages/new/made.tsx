// What has become of a creation, and what can be done about one that is half done.

import type { ReactNode } from "react";
import { Button } from "react-aria-components";
import { Link } from "wouter";
import { Unreachable } from "../../api/errors";
import { Problem } from "../../parts/messages";
import { visible } from "../../words";
import type { Kind, Maker } from "./making";

export function Made({ kind, maker }: { kind: Kind; maker: Maker }): ReactNode {
  const { making } = maker;
  if (making.at === "refused") return <Problem error={making.error} what={`The ${kind} was not created.`} />;
  if (making.at !== "half" && making.at !== "removing") return null;
  const text =
    making.error instanceof Unreachable
      ? "No answer came from the manager."
      : making.error instanceof Error
        ? making.error.message
        : String(making.error);
  const isRemoving = making.at === "removing";
  return (
    <div className="problem new-half" role="alert">
      <p>
        <strong>
          The {kind} was created, {making.failed === "upload" ? "but has no module" : "but not started"}.
        </strong>{" "}
        {visible(text)}
      </p>
      <p>
        It is{" "}
        <Link href={`/${kind}s/${encodeURIComponent(making.id)}`}>
          <code>{visible(making.id)}</code>
        </Link>
        . {making.failed === "upload" ? "Send its module again" : "Start it again"}, or delete it to change
        what is written here.
      </p>
      <div className="new-buttons">
        <Button
          className="button"
          data-look="primary"
          isDisabled={isRemoving}
          onPress={() => void maker.again()}
        >
          Try again
        </Button>
        <Button
          className="button"
          data-look="danger"
          isDisabled={isRemoving}
          onPress={() => void maker.remove()}
        >
          Delete the {kind}
        </Button>
      </div>
    </div>
  );
}

/** The buttons that create. What has a schedule runs at its times, and is not started. */
export function MakeButtons(props: {
  maker: Maker;
  /** Something has to come before it can be created. */
  isWaiting: boolean;
  isTimed: boolean;
  onMake: (isStarted: boolean) => void;
}): ReactNode {
  const { making } = props.maker;
  const isBusy = making.at === "work" || props.isWaiting;
  const says = making.at === "work" ? `${making.says} …` : null;
  if (props.isTimed) {
    return (
      <div className="new-buttons">
        <Button className="button" data-look="primary" type="submit" isDisabled={isBusy}>
          {says ?? "Create"}
        </Button>
        <span className="quiet">It runs at the times of its schedule.</span>
      </div>
    );
  }
  return (
    <div className="new-buttons">
      <Button className="button" data-look="primary" type="submit" isDisabled={isBusy}>
        {says ?? "Create and start"}
      </Button>
      <Button className="button" isDisabled={isBusy} onPress={() => props.onMake(false)}>
        Create
      </Button>
    </div>
  );
}

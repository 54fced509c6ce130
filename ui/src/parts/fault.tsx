import { Component, type ReactNode } from "react";
import { Button } from "react-aria-components";
import { Problem } from "./messages";

type Props = {
  children: ReactNode;
  /** Another place is given another chance. */
  place: string;
};
type State = { error: unknown; place: string };

/** Keeps a fault of what is in it to itself, and says what the reader can do. */
export class FaultBoundary extends Component<Props, State> {
  override state: State = { error: null, place: this.props.place };

  static getDerivedStateFromError(error: unknown): Partial<State> {
    return { error };
  }

  static getDerivedStateFromProps({ place }: Props, state: State): State | null {
    return place === state.place ? null : { error: null, place };
  }

  override render(): ReactNode {
    const { error } = this.state;
    if (error === null) return this.props.children;
    return (
      <div className="page">
        <Problem error={error} what="This can't be shown." />
        <div>
          <Button className="button" onPress={() => location.reload()}>
            Load the page again
          </Button>
        </div>
      </div>
    );
  }
}

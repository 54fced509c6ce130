import { useEffect } from "react";
import { shortened, visible } from "../words";

/** Name the tab of the browser after what it shows: a list such as "Tasks", or a record. */
export function useTitle(what: string): void {
  useEffect(() => {
    document.title = `${shortened(visible(what), 60)} · Propeller`;
  }, [what]);
}

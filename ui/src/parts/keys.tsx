// Keys for everything: whoever is on the page says which keys it takes, and `?` lists them.

import { createContext, type ReactNode, useContext, useEffect, useMemo, useRef, useState } from "react";
import { Button, Dialog, Heading, Modal, ModalOverlay } from "react-aria-components";
import "./keys.css";

export type Key = {
  /** One key as `KeyboardEvent.key` names it, or two that are pressed one after the other: `g w`. */
  keys: string;
  /** What it does, for the list. */
  text: string;
  /** Left out where the browser does it, such as Enter on a link. */
  act?: () => void;
};

type Listing = { title: string; keys: readonly Key[] };

const KeysContext = createContext<{ add: (listing: Listing) => () => void; show: () => void }>({
  add: () => () => undefined,
  show: () => undefined,
});

/** How long the second key of two may take. */
const PAUSE_MS_MAX = 1_200;

/** Take keys while the caller is on the page. `keys` should be kept by useMemo. */
export function useKeys(title: string, keys: readonly Key[]): void {
  const { add } = useContext(KeysContext);
  useEffect(() => add({ title, keys }), [add, title, keys]);
}

/** Give the function that shows the list of keys. */
export function useShowKeys(): () => void {
  return useContext(KeysContext).show;
}

/** Fields in which a letter means nothing. */
const SILENT_FIELDS = new Set(["checkbox", "radio", "button", "submit"]);

function isTyping(target: EventTarget | null): boolean {
  if (target instanceof HTMLInputElement) return !SILENT_FIELDS.has(target.type);
  return (
    target instanceof HTMLElement && (target.isContentEditable || /^(TEXTAREA|SELECT)$/.test(target.tagName))
  );
}

export function KeysProvider({ children }: { children: ReactNode }): ReactNode {
  const listings = useRef(new Set<Listing>());
  const [shown, setShown] = useState<readonly Listing[] | null>(null);
  const context = useMemo(
    () => ({
      add: (listing: Listing) => {
        listings.current.add(listing);
        return () => {
          listings.current.delete(listing);
        };
      },
      show: () => setShown([...listings.current]),
    }),
    [],
  );
  useEffect(() => {
    let before = "";
    let beforeAt = 0;
    const onKey = (event: KeyboardEvent): void => {
      if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
      if (document.querySelector("[role=dialog],[role=alertdialog]") !== null && event.key !== "?") return;
      if (event.key === "?") {
        event.preventDefault();
        context.show();
        return;
      }
      const pair = event.timeStamp - beforeAt < PAUSE_MS_MAX ? `${before} ${event.key}` : "";
      const all = [...listings.current]
        .reverse()
        .flatMap((listing) => listing.keys)
        .filter((key) => key.act !== undefined);
      const found = all.find((key) => key.keys === pair) ?? all.find((key) => key.keys === event.key);
      before = found ? "" : event.key;
      beforeAt = event.timeStamp;
      if (found) {
        event.preventDefault();
        found.act?.();
      }
    };
    window.addEventListener("keydown", onKey);
    return () => window.removeEventListener("keydown", onKey);
  }, [context]);
  return (
    <KeysContext value={context}>
      {children}
      <ModalOverlay
        className="veil"
        isDismissable
        isOpen={shown !== null}
        onOpenChange={(isOpen) => isOpen || setShown(null)}
      >
        <Modal className="confirm">
          <Dialog>
            <Heading slot="title">Keys</Heading>
            {shown?.map((listing) => (
              <section key={listing.title}>
                <h3>{listing.title}</h3>
                <dl className="keys">
                  {listing.keys.map((key) => (
                    <div key={key.keys}>
                      <dt>
                        {key.keys.split(" ").map((one) => (
                          <kbd key={one}>{one}</kbd>
                        ))}
                      </dt>
                      <dd>{key.text}</dd>
                    </div>
                  ))}
                </dl>
              </section>
            ))}
            <div className="confirm-buttons">
              <Button className="button" slot="close" autoFocus>
                Close
              </Button>
            </div>
          </Dialog>
        </Modal>
      </ModalOverlay>
    </KeysContext>
  );
}

// Keys for everything: whoever is on the page says which keys it takes, and `?` lists them.

import { createContext, type ReactNode, useContext, useEffect, useMemo, useRef, useState } from "react";
import { Button, Dialog, Heading, Modal, ModalOverlay } from "react-aria-components";
import { inOrder, type Key, type Listing, type Rank } from "./key-order";
import "./keys.css";

export type { Key };

const KeysContext = createContext<{ add: (listing: Listing) => () => void; show: () => void }>({
  add: () => () => undefined,
  show: () => undefined,
});

/** How long the second key of two may take. */
const PAUSE_MS_MAX = 1_200;

/** Take keys while the caller is on the page. `keys` should be kept by useMemo. */
export function useKeys(title: string, keys: readonly Key[], rank: Rank = "page"): void {
  const { add } = useContext(KeysContext);
  useEffect(() => add({ title, keys, rank }), [add, title, keys, rank]);
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

/** Elements that the browser itself works by the space bar. */
const PRESSED_BY_SPACE = "button,summary,[role=button],[role=tab],input[type=checkbox],input[type=radio]";

/** Give what a key is called in a list; "" where it is the browser's own. */
function nameOf({ key, target }: KeyboardEvent): string {
  if (key !== " ") return key;
  return target instanceof Element && target.matches(PRESSED_BY_SPACE) ? "" : "Space";
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
      show: () => setShown(inOrder([...listings.current])),
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
      const name = nameOf(event);
      if (/^(Shift|CapsLock|Dead)$/.test(name)) return;
      const all = inOrder([...listings.current])
        .flatMap((listing) => listing.keys)
        .filter((key) => key.act !== undefined);
      // The second key of two is never taken for one of its own: `g d` goes nowhere, and deletes nothing.
      const isSecond = before !== "" && event.timeStamp - beforeAt < PAUSE_MS_MAX;
      const found = all.find((key) => key.keys === (isSecond ? `${before} ${name}` : name));
      before = !isSecond && all.some((key) => key.keys.startsWith(`${name} `)) ? name : "";
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

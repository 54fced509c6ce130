// Asks before something is changed, and says what will happen. Shows what went wrong, and stays then.

import { createContext, type ReactNode, useCallback, useContext, useRef, useState } from "react";
import { Button, Dialog, Heading, Modal, ModalOverlay } from "react-aria-components";
import { CopyAs } from "./copy-as";
import { Problem } from "./messages";
import type { Recipe } from "./recipe";
import "./confirm.css";

export type Question = {
  title: string;
  /** What will happen. */
  text: ReactNode;
  /** The word on the button, such as "Stop". */
  action: string;
  /** True if it can't be undone. */
  isDangerous?: boolean;
  act: () => Promise<unknown>;
  /** The same as something to paste. */
  recipe?: Recipe;
};

/** The second click of a double click falls beside the question that the first one opened, and does not close it. */
const DOUBLE_CLICK_MS = 500;

const Confirming = createContext<(question: Question) => void>(() => undefined);

/** Give the function that asks. */
export function useConfirm(): (question: Question) => void {
  return useContext(Confirming);
}

export function ConfirmProvider({ children }: { children: ReactNode }): ReactNode {
  const [question, setQuestion] = useState<Question | null>(null);
  const [error, setError] = useState<unknown>(null);
  const [isBusy, setBusy] = useState(false);
  const askedAt = useRef(0);
  const ask = useCallback((next: Question) => {
    askedAt.current = performance.now();
    setError(null);
    setQuestion(next);
  }, []);
  const act = async (): Promise<void> => {
    if (question === null) return;
    setBusy(true);
    setError(null);
    try {
      await question.act();
      setQuestion(null);
    } catch (problem) {
      setError(problem);
    } finally {
      setBusy(false);
    }
  };
  return (
    <Confirming value={ask}>
      {children}
      <ModalOverlay
        className="veil"
        isDismissable={!isBusy}
        shouldCloseOnInteractOutside={() => performance.now() - askedAt.current > DOUBLE_CLICK_MS}
        isOpen={question !== null}
        onOpenChange={(isOpen) => isOpen || setQuestion(null)}
      >
        <Modal className="confirm">
          <Dialog role="alertdialog">
            <Heading slot="title">{question?.title}</Heading>
            <div className="confirm-text">{question?.text}</div>
            {error !== null && <Problem error={error} />}
            {question?.recipe && <CopyAs recipe={question.recipe} />}
            <div className="confirm-buttons">
              <Button className="button" onPress={() => setQuestion(null)} isDisabled={isBusy} autoFocus>
                Cancel
              </Button>
              <Button
                className="button"
                data-look={question?.isDangerous ? "danger" : "primary"}
                isDisabled={isBusy}
                onPress={() => void act()}
              >
                {isBusy ? "Working …" : question?.action}
              </Button>
            </div>
          </Dialog>
        </Modal>
      </ModalOverlay>
    </Confirming>
  );
}

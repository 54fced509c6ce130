// "Copy as": what the page does, as something to paste.

import { type ReactNode, useMemo, useState } from "react";
import { Button } from "react-aria-components";
import { apiRoot } from "../api/client";
import { visible } from "../words";
import { CopyButton } from "./copy";
import { asCli, asCurl, asPython, type Recipe } from "./recipe";
import { beginOf } from "./texts";
import "./copy-as.css";

const FORMS = [
  { name: "curl", write: asCurl },
  { name: "CLI", write: asCli },
  { name: "Python", write: asPython },
] as const;

/** More is copied, and not shown. */
const CHARS_SHOWN_MAX = 4_000;
const LINES_SHOWN_MAX = 60;

/** A quiet link that opens what the page is about to do, by curl, by the command line and in Python. */
export function CopyAs({ recipe }: { recipe: Recipe }): ReactNode {
  const [isOpen, setOpen] = useState(false);
  return (
    <section className="copy-as" aria-label="Copy as">
      <Button className="quiet-button" aria-expanded={isOpen} onPress={() => setOpen(!isOpen)}>
        Copy as …
      </Button>
      {isOpen && <Forms recipe={recipe} />}
    </section>
  );
}

function Forms({ recipe }: { recipe: Recipe }): ReactNode {
  const [chosen, setChosen] = useState(0);
  const form = FORMS[chosen] ?? FORMS[0];
  const text = useMemo(() => form.write(recipe, apiRoot), [form, recipe]);
  const shown = beginOf(text, CHARS_SHOWN_MAX, LINES_SHOWN_MAX);
  return (
    <div className="copy-as-open">
      <div className="copy-as-head">
        <fieldset className="copy-as-forms" aria-label="Form">
          {FORMS.map(({ name }, place) => (
            <Button
              key={name}
              className="copy-as-form"
              aria-pressed={place === chosen}
              onPress={() => setChosen(place)}
            >
              {name}
            </Button>
          ))}
        </fieldset>
        <CopyButton text={text} what={form.name} />
      </div>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls is reached by keys */}
      <section className="copy-as-text" tabIndex={0} aria-label={`As ${form.name}`}>
        {visible(shown)}
        {shown.length < text.length && "…"}
      </section>
    </div>
  );
}

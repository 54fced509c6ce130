"""Questions and help, before a page."""

from typing import ClassVar

from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.screen import ModalScreen, Screen
from textual.widgets import Button

from propeller.cli import formatting
from propeller.cli.top.deeds import Deed
from propeller.cli.top.parts import Words

#: Where ``g`` and a letter go: the page, and what is shown on it.
PLACES = {
    "o": ("overview", "", "overview"),
    "w": ("groups", "workflow", "workflows"),
    "j": ("groups", "job", "jobs"),
    "t": ("tasks", "", "tasks"),
    "p": ("fleet", "", "proplets"),
    "e": ("events", "", "events"),
}
_OF_LIBRARY = {"", *(binding.description for binding in Screen.BINDINGS if isinstance(binding, Binding))}
_KEY_NAMES = {"question_mark": "?", "slash": "/", "escape": "Esc", "enter": "Enter"}


class Asked(ModalScreen[bool]):
    """Asks whether something is to be done, and says what will happen then."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "answer(True)", "do it"),
        Binding("n,escape", "answer(False)", "leave it"),
        Binding("left,right,h,l", "other", "the other answer", show=False),
    ]

    def __init__(self, deed: Deed) -> None:
        super().__init__()
        self._deed = deed

    def compose(self) -> ComposeResult:
        with Vertical(classes="box"):
            yield Words(Text(self._deed.question, style="bold"), id="question")
            yield Words(self._deed.will, id="will")
            with Horizontal(id="answers"):
                yield Button("Yes (y)", id="yes", variant="warning")
                yield Button("No (n, Esc)", id="no")

    def on_button_pressed(self, event: Button.Pressed) -> None:
        self.dismiss(event.button.id == "yes")

    def action_answer(self, answer: bool) -> None:
        self.dismiss(answer)

    def action_other(self) -> None:
        self.focus_next()


class Going(ModalScreen[str]):
    """Waits for the letter behind ``g``."""

    def compose(self) -> ComposeResult:
        shown = Text("go to: ")
        for key, (_, _, title) in PLACES.items():
            shown.append(f" {key} ", style="bold").append(f"{title}  ")
        yield Words(shown, id="going")

    def on_key(self, event: events.Key) -> None:
        event.stop()
        self.dismiss(event.key if event.key in PLACES else "")


class Help(ModalScreen[None]):
    """Lists the keys that the page before it knows."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,question_mark", "close", "close"),
    ]

    def __init__(self, page: Screen[None]) -> None:
        super().__init__()
        self._keys = keys_of(page)

    def compose(self) -> ComposeResult:
        wide = max(len(keys) for keys, _ in self._keys)
        shown = Text.assemble(("Keys\n", "bold"))
        for keys, what in self._keys:
            shown.append(f"\n{keys:>{wide}}  ", style="bold cyan").append(what)
        with VerticalScroll(classes="box"):
            yield Words(shown)

    def action_close(self) -> None:
        self.dismiss(None)


def keys_of(page: Screen[None]) -> list[tuple[str, str]]:
    """Name the keys that count on a page, and what each does; keys that do the same stand together."""
    named: dict[str, list[str]] = {}
    for key, active in page.active_bindings.items():
        # What every screen has of the library, such as the copying of text, is not about this program.
        if active.binding.description not in _OF_LIBRARY:
            named.setdefault(active.binding.description, []).append(_KEY_NAMES.get(key, key))
    going = [(f"g {key}", f"go to the {title}") for key, (_, _, title) in PLACES.items()]
    rest = [(" ".join(keys), formatting.one_line(what)) for what, keys in named.items()]
    return [*going, *rest]

"""How the figures are shown to a reader."""

import sys

from rich.console import Console
from rich.table import Table

from bench.figures import Judged, Outcome

#: Floors move a little by themselves.
_DRIFT_MAX = 1.5


def show(machine: dict[str, object], outcomes: dict[str, Outcome]) -> None:
    console = Console(width=None if sys.stdout.isatty() else 140)
    console.print(", ".join(f"{name} {value}" for name, value in machine.items()), highlight=False)
    table = Table("measurement", "figure", title="Figures beside their floors", title_justify="left")
    for heading in ("value", "floor", "value : floor"):
        table.add_column(heading, justify="right")
    table.add_column("target")
    table.add_column("met")
    for name, outcome in outcomes.items():
        if outcome.problem:
            table.add_row(name, f"[red]{outcome.problem}")
        for number, figure in enumerate(outcome.figures):
            table.add_row("" if number else name, *_cells(figure))
        table.add_section()
    console.print(table)
    for name, outcome in outcomes.items():
        if outcome.drift > _DRIFT_MAX:
            console.print(
                f"{name}: disturbed, its floors moved by a factor of {outcome.drift:.1f}; measure it again"
            )
    _show_floors(console, outcomes)


def _show_floors(console: Console, outcomes: dict[str, Outcome]) -> None:
    measured = {name: outcome for name, outcome in outcomes.items() if outcome.floors}
    if not measured:
        return
    names = list(next(iter(measured.values())).floors)
    table = Table("floors around", title="Floors, mean of before and after", title_justify="left")
    for heading in (*names, "drift"):
        table.add_column(heading, justify="right")
    for name, outcome in measured.items():
        table.add_row(name, *(_number(outcome.floors[floor]) for floor in names), f"{outcome.drift:.2f}")
    console.print(table)


def _cells(figure: Judged) -> list[str]:
    return [
        figure.name,
        f"{_number(figure.value)} {figure.unit}",
        f"{figure.floor_name}: {_number(figure.floor)}" if figure.floor is not None else "",
        f"{figure.ratio:.2f}" if figure.ratio is not None else "",
        figure.target,
        {None: "", True: "[green]yes", False: "[red]no"}[figure.is_met],
    ]


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1_000 else f"{value:.3g}"

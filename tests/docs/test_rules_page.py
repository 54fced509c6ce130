"""The diagram of states in docs/rules.md is the table of moves."""

from pathlib import Path

from propeller.core.states import TRANSITIONS, TaskState

PAGE = Path(__file__).parents[2] / "docs" / "rules.md"
ENDS = [state for state in TaskState if state.has_ended]


def test_the_page_draws_every_move_and_no_other():
    drawn = PAGE.read_text().split("```mermaid\n")[1].split("```")[0]
    assert drawn == _diagram(), f"docs/rules.md: the diagram is not the table; put this there:\n{_diagram()}"


def _diagram() -> str:
    """Draw the table of moves as Mermaid has it, with the ends in one box."""
    ways_out = {frozenset(TRANSITIONS[state]) for state in ENDS}
    assert len(ways_out) == 1, "not all ends lead to the same states: draw them one by one"
    moves = [(_name(state), to) for state in TaskState if state not in ENDS for to in TRANSITIONS[state]]
    moves += [("Ended", to) for to in ways_out.pop()]
    lines = [
        "stateDiagram-v2",
        "    [*] --> Pending",
        "    state Ended {",
        *(f"        {_name(state)}" for state in ENDS),
        "    }",
        *(f"    {before} --> {_name(to)}" for before, to in _in_order(moves)),
    ]
    return "\n".join(lines) + "\n"


def _in_order(moves: list[tuple[str, TaskState]]) -> list[tuple[str, TaskState]]:
    befores = list(dict.fromkeys(before for before, _ in moves))
    return sorted(moves, key=lambda move: (befores.index(move[0]), move[1]))


def _name(state: TaskState) -> str:
    return state.name.capitalize()

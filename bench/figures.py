"""What a measurement gives, and how it is held against the floors and the targets."""

import msgspec


class Figure(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    name: str
    value: float
    unit: str
    #: Name of the floor that it is held against, and how many of it lie on the way.
    floor: str = ""
    floor_count: int = 1
    #: The target, if it has one; at most one of these.
    at_most: float | None = None
    at_least: float | None = None
    at_most_floors: float | None = None
    #: The target in words, where its number does not say it.
    target: str = ""


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """A figure beside its floor and its target; None where it has none."""

    name: str
    value: float
    unit: str
    floor_name: str = ""
    floor: float | None = None
    #: Value divided by floor.
    ratio: float | None = None
    target: str = ""
    is_met: bool | None = None


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """One measurement."""

    seconds: float
    figures: list[Judged] = []
    #: Mean of those just before and just after.
    floors: dict[str, float] = {}
    #: How far the floors moved meanwhile; far above 1, something else used the machine.
    drift: float = 1.0
    #: Why there are no figures.
    problem: str = ""


def judge(figure: Figure, floors: dict[str, float]) -> Judged:
    floor = floors[figure.floor] * figure.floor_count if figure.floor else None
    ratio = figure.value / floor if floor else None
    target, is_met = figure.target, None
    if figure.at_most is not None:
        target = target or f"≤ {figure.at_most:g} {figure.unit}"
        is_met = figure.value <= figure.at_most
    elif figure.at_least is not None:
        target = target or f"≥ {figure.at_least:,g} {figure.unit}"
        is_met = figure.value >= figure.at_least
    elif figure.at_most_floors is not None:
        assert ratio is not None, f"{figure.name} has a target in floors and no floor"
        target = target or f"≤ {figure.at_most_floors:g} x floor"
        is_met = ratio <= figure.at_most_floors
    count = f"{figure.floor_count} x " if figure.floor_count > 1 else ""
    return Judged(
        name=figure.name,
        value=figure.value,
        unit=figure.unit,
        floor_name=count + figure.floor if figure.floor else "",
        floor=floor,
        ratio=ratio,
        target=target,
        is_met=is_met,
    )


def drift(before: dict[str, float], after: dict[str, float]) -> float:
    """Return the largest factor between the medians and rates of two looks at the floors."""
    steady = [name for name in before if "p99" not in name]
    return max(max(before[name] / after[name], after[name] / before[name]) for name in steady)


def mean(before: dict[str, float], after: dict[str, float]) -> dict[str, float]:
    return {name: (before[name] + after[name]) / 2 for name in before}

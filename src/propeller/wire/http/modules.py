"""What a module is, what it needs, and how to call it: the shape of ``runtime.inspection.Inspection``."""

from typing import Literal

import msgspec


class ModuleItem(msgspec.Struct, frozen=True):
    """One import or export."""

    name: str
    #: Such as ``function``, ``memory`` or ``instance``.
    kind: str
    #: The type as text, with a function's parameters and results; empty where there is none.
    type: str = ""


class ModuleParameter(msgspec.Struct, frozen=True):
    #: Empty in core modules, which have types only.
    name: str
    type: str
    #: A value as an input has it; empty where the type has no text form, or only a long one.
    example: str


class ModuleFunction(msgspec.Struct, frozen=True):
    """An exported function that is meant to be called."""

    #: As a task names it.
    name: str
    params: list[ModuleParameter]
    #: Types.
    results: list[str]


class ModuleNeed(msgspec.Struct, frozen=True):
    """An import or an ability that has to be granted, or that is not offered; or a limit to be raised."""

    #: The field of a task, such as ``grants.dirs`` or ``limits.memory``; empty where it is not offered.
    grant: str
    text: str


class ModuleCall(msgspec.Struct, frozen=True):
    """One way to call it."""

    #: The task's name; empty for the usual entry.
    name: str
    inputs: list[str]


class ModuleView(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    kind: Literal["module", "command", "reactor", "component", "component-command", "component-http"]
    #: Bytes.
    size: int
    #: ``sha256:<hex>``
    digest: str
    imports: list[ModuleItem]
    exports: list[ModuleItem]
    #: Those exports that a task may name; none of a program.
    functions: list[ModuleFunction]
    needs: list[ModuleNeed]
    #: The reasons why it can't run here; empty if it can.
    obstacles: list[str]
    #: None if it can't be called: there is nothing to call, or it answers HTTP.
    example: ModuleCall | None
    #: The module in base64, if it came as text.
    wasm: str = ""

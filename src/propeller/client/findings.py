"""Types of the answers about modules, and about files with a workflow or a job, before they are run."""

from typing import Any, NotRequired, TypedDict


class ModuleItem(TypedDict):
    """One import or export."""

    name: str
    #: Such as ``function``, ``memory`` or ``instance``.
    kind: str
    type: NotRequired[str]


class ModuleParameter(TypedDict):
    #: Empty in core modules.
    name: str
    type: str
    #: A value as an input has it; empty where there is none.
    example: str


class ModuleFunction(TypedDict):
    #: As a task names it.
    name: str
    params: list[ModuleParameter]
    results: list[str]


class ModuleNeed(TypedDict):
    #: A field of a task; empty where it is not offered.
    grant: str
    text: str


class ModuleCall(TypedDict):
    name: str
    inputs: list[str]


class Module(TypedDict):
    """What a module is, what it needs and how to call it."""

    #: ``module``, ``command``, ``reactor``, ``component``, ``component-command`` or ``component-http``.
    kind: str
    size: int
    digest: str
    imports: list[ModuleItem]
    exports: list[ModuleItem]
    functions: list[ModuleFunction]
    needs: list[ModuleNeed]
    #: Why it can't run here.
    obstacles: list[str]
    example: ModuleCall | None
    #: In base64, if it came as text.
    wasm: NotRequired[str]


class FileTask(TypedDict):
    """A task in a file."""

    id: str
    #: Empty where its module is to say what runs.
    name: str
    #: The name of the file with its module.
    module: NotRequired[str]
    line: int


class FileNeed(TypedDict):
    """A file beside it that tasks need."""

    name: str
    #: ``file`` for a module in base64, ``stdin`` for standard input.
    field: str
    #: The tasks of the request in which that field is to be filled in.
    tasks: list[str]
    line: int


class FileError(TypedDict):
    #: 0 where it can't be told.
    line: int
    field: str
    message: str


class FileCheck(TypedDict):
    #: ``workflow`` or ``job``.
    kind: str
    name: str
    #: The body of the request that creates it; None where it has errors.
    request: dict[str, Any] | None
    tasks: list[FileTask]
    #: Ids in the file: a parent and its child.
    edges: list[list[str]]
    needs: list[FileNeed]
    errors: list[FileError]

"""Files with a workflow or a job to run, and what is in them."""

from typing import Annotated, Any, Literal

import msgspec

from propeller.wire.http.schema import like


class NewFile(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    text: Annotated[str, like("The file, in YAML or JSON.")]
    name: Annotated[str, like("Its name. One that ends in .json is JSON; others are YAML or JSON.")] = ""
    kind: (
        Annotated[
            str,
            like(
                "What it is to be. Left out or empty: a job if it has an execution_mode, else a workflow.",
                title="FileKind",
                enum=["", "workflow", "job"],
            ),
        ]
        | None
    ) = None


class FileTask(msgspec.Struct, omit_defaults=True, kw_only=True):
    #: In the file; the request has one of this run.
    id: str
    #: Empty where its module is to say what runs.
    name: str
    #: The name of the file with its module, if it needs one.
    module: str = ""
    line: int


class FileNeed(msgspec.Struct, kw_only=True):
    """A file beside it that a task needs."""

    #: As it is written.
    name: str
    #: ``file`` for a module in base64, ``stdin`` for standard input.
    field: Literal["file", "stdin"]
    #: The tasks of the request that are to have it in that field, such as ``tasks[1].workflow.tasks[0]``.
    tasks: list[str]
    #: Of the first of them, in the file.
    line: int


class FileError(msgspec.Struct, kw_only=True):
    #: From 1; 0 where it can't be told.
    line: int
    #: Such as ``tasks[3].depends_on``; empty for the whole.
    field: str
    message: str


class FileCheck(msgspec.Struct, kw_only=True):
    kind: Literal["workflow", "job"]
    name: str
    request: (
        Annotated[
            dict[str, Any],
            like(
                "The body for ``POST /workflows`` or ``POST /jobs``, but for what it needs.",
                title="FileRequest",
            ),
        ]
        | None
    )
    tasks: list[FileTask]
    #: Each has two ids of the file: a parent and its child.
    edges: list[list[str]]
    needs: list[FileNeed]
    errors: list[FileError]

"""Failures: why a task failed, as a value with a kind for programs and words for people."""

from enum import StrEnum

import msgspec


class ErrorKind(StrEnum):
    """The kind of a failure; the wire and the store have these names, as ``error_kind``."""

    #: The guest trapped: a panic, a division by zero, an access out of bounds.
    TRAP = "trap"
    #: The program ended with another exit code than 0.
    EXIT_CODE = "exit_code"
    #: The run, or compiling its module, took longer than it may; or the workflow of a task did.
    TIMEOUT = "timeout"
    #: It reached ``limits.memory``, or had nearly reached it.
    MEMORY = "memory"
    #: It used up ``limits.fuel``.
    FUEL = "fuel"
    #: It reached ``limits.stack``.
    STACK = "stack"
    #: Its result is larger than ``limits.output``, or than a message that the broker takes.
    OUTPUT = "output"
    #: It reached another limit: tables, memories, core instances.
    LIMIT = "limit"
    #: There is no module, it can't be fetched or read, or it exports nothing of the task's name.
    MODULE = "module"
    #: The inputs don't fit the function, or an input is the result of a task that has none.
    INPUTS = "inputs"
    #: The expression in ``run_if`` can't be evaluated with the results of the parents.
    CONDITION = "condition"
    #: The task asks for something that its proplet does not offer or does not allow.
    REFUSED = "refused"
    #: Its proplet, or the process that ran it, was lost too often.
    LOST = "lost"
    #: Its proplet was told to run it again and again, and said nothing of it.
    DISPATCH = "dispatch"
    #: Its ``deadline``, or the ``timeout`` of its workflow or job, passed.
    DEADLINE = "deadline"
    #: Its ``queue_timeout`` passed before a proplet took it.
    QUEUE_TIMEOUT = "queue_timeout"
    #: Of a past attempt: its proplet gave it back or was drained, through no fault of the task.
    RETURNED = "returned"
    #: Somebody stopped it.
    CANCELLED = "cancelled"
    #: The proplet does not say: only native ones do.
    OTHER = "other"

    @classmethod
    def of(cls, name: str) -> "ErrorKind":
        """Read a kind that a proplet sent; give ``OTHER`` for one that only a later version knows."""
        try:
            return cls(name)
        except ValueError:
            return cls.OTHER


#: The kinds that are a limit which a guest reached.
LIMITS = frozenset({ErrorKind.MEMORY, ErrorKind.FUEL, ErrorKind.STACK, ErrorKind.OUTPUT, ErrorKind.LIMIT})


class Failure(msgspec.Struct, frozen=True):
    """The failure of a run or a task."""

    #: Sentences for the user; never empty.
    error: str
    kind: ErrorKind = ErrorKind.OTHER
    #: Of a program that ended with one, 1 or more; 0 where there is none.
    exit_code: int = 0

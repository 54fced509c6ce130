"""Knows when modules may be in use by no task, so that they are looked for only then."""

from propeller.core.effects import Changes


class UnusedModules:
    """The modules that tasks may no longer use."""

    def __init__(self) -> None:
        #: Modules that tasks got since a search began.
        self._named: set[str] = set()
        #: True if a task was deleted or got another module since then, or may have before the start.
        self.may_be_some = True

    def note(self, changes: Changes) -> None:
        """Note the modules of a commit, before it is written."""
        tasks = (*changes.created, *changes.respecified)
        had = {module.digest for task in tasks for module in task.spec.modules}
        came = {module.digest for module in changes.modules}
        self._named |= had | came
        self.may_be_some |= bool(changes.deleted or changes.respecified or came - had)

    def begin_to_look(self) -> None:
        """Begin to note anew, between two commits: a search from now on sees the modules of the last one."""
        self._named.clear()
        self.may_be_some = False

    def may_go(self, digest: str) -> bool:
        """Say whether a module that a search found may be deleted: no task got it meanwhile."""
        return digest not in self._named

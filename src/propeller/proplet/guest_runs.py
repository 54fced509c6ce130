"""Making guest runs from starts: environment, limits, grants, port."""

import contextlib
import json
from collections.abc import Mapping
from types import MappingProxyType

from propeller.errors import Invalid
from propeller.proplet.actions import StartRun
from propeller.proplet.module_store import ModuleStore
from propeller.proplet.sandbox_policy import SandboxPolicy, grants_of, limits_of
from propeller.proplet.starts import stdin_of
from propeller.runtime.guest_run import GuestRun
from propeller.runtime.outline import Kind, outline_of

_KINDS_KEPT = 1000
_NO_SECRETS: Mapping[str, str] = MappingProxyType({})


class GuestRuns:
    """Makes runs for the guests of one proplet."""

    def __init__(self, proplet_id: str, policy: SandboxPolicy, modules: ModuleStore) -> None:
        self._proplet_id = proplet_id
        self._policy = policy
        self._modules = modules
        self._kinds: dict[str, Kind] = {}

    def of(self, action: StartRun, secrets: Mapping[str, str] = _NO_SECRETS) -> GuestRun:
        """Make a run; ``secrets`` are more variables, below those that the start has in the clear."""
        start = action.start
        is_server = self._kind(action.digest) is Kind.SERVER and not start.latent
        is_resident = start.daemon or is_server
        grants = grants_of(self._policy, start)
        return GuestRun(
            key=action.key,
            digest=action.digest,
            export=start.name,
            inputs=start.inputs or [],
            cli_args=list(start.cli_args or ()),
            env={"PROPLET_ID": self._proplet_id, **secrets, **(start.env or {})},
            limits=limits_of(self._policy, start, is_resident=is_resident, is_server=is_server),
            grants=grants,
            parents=json.dumps(start.parent_results, ensure_ascii=False) if start.parent_results else "",
            is_resident=is_resident,
            is_preparation=action.is_preparation,
            port=self._policy.http_port if is_server else 0,
            stdin=stdin_of(start),
            trust=self._policy.trust,
            allowed_dirs=self._policy.offer.dirs if grants is not None and grants.dirs else (),
        )

    def _kind(self, digest: str) -> Kind | None:
        """Tell the kind of a module; None if it can't be read, which its runner will say better."""
        if digest not in self._kinds:
            with contextlib.suppress(Invalid):
                self._kinds[digest] = outline_of(self._modules.path(digest)).kind
            if len(self._kinds) > _KINDS_KEPT:
                del self._kinds[next(iter(self._kinds))]
        return self._kinds.get(digest)

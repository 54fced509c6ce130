"""Reads the sandbox that a request asks for: ``timeout``, ``limits`` and ``grants``."""

from propeller.api.timing import duration_ns
from propeller.core.sandbox import Dir, Grants, Limits, Sandbox, is_host_rule
from propeller.errors import Invalid
from propeller.wire.http.sandbox import GrantsField, LimitsField
from propeller.wire.http.tasks import TaskFields
from propeller.wire.sizes import parse_size

_COUNT_MAX = 2**53
_DIRS_MAX = 64
_HOSTS_MAX = 256


def sandbox_of(given: TaskFields, before: Sandbox | None, at: str = "") -> Sandbox | None:
    """Return the sandbox that a task asks for now; fields that are not given stay as they were ``before``.

    None if it asks for none.

    Raises:
        Invalid: A field makes no sense.

    """
    before = before or Sandbox()
    sandbox = Sandbox(
        grants=before.grants if given.grants is None else _grants(given.grants, at),
        limits=before.limits if given.limits is None else _limits(given.limits, at),
        timeout_ns=before.timeout_ns if given.timeout is None else duration_ns(given.timeout, f"{at}timeout"),
    )
    return None if sandbox == Sandbox() else sandbox


def _limits(given: LimitsField, at: str) -> Limits:
    limits: dict[str, int] = {}
    for name in Limits.__struct_fields__:
        value = getattr(given, name)
        if value is None:
            continue
        try:
            number = parse_size(value) if isinstance(value, str) else value
        except ValueError as error:
            raise Invalid(f'{at}limits.{name}: "{value}" {error}') from error
        if not 0 <= number <= _COUNT_MAX:
            raise Invalid(
                f"{at}limits.{name}: {number} is out of range; write a number from 0 to {_COUNT_MAX}"
            )
        limits[name] = number
    return Limits(**limits)


def _grants(given: GrantsField, at: str) -> Grants:
    if len(given.dirs) > _DIRS_MAX:
        raise Invalid(f"{at}grants.dirs: {len(given.dirs)} are too many; give at most {_DIRS_MAX}")
    if len(given.http) > _HOSTS_MAX:
        raise Invalid(f"{at}grants.http: {len(given.http)} are too many; give at most {_HOSTS_MAX}")
    dirs = []
    for number, wanted in enumerate(given.dirs):
        guest = wanted.guest or wanted.host
        for name, path in (("host", wanted.host), ("guest", guest)):
            if not path.startswith("/") or "\0" in path or ".." in path.split("/"):
                raise Invalid(
                    f"{at}grants.dirs[{number}].{name}: {path!r} is no absolute path; begin it with / and "
                    "leave out .."
                )
        mode = wanted.mode or "ro"
        if mode not in ("ro", "rw"):
            raise Invalid(f'{at}grants.dirs[{number}].mode: "{mode}" is unknown; use ro or rw')
        dirs.append(Dir(host=wanted.host, guest=guest, mode="rw" if mode == "rw" else "ro"))
    for rule in given.http:
        if not is_host_rule(rule):
            raise Invalid(
                f"{at}grants.http: {rule!r} is no host; write one as example.com, example.com:8080, "
                "*.example.com, or * for all"
            )
    seed = given.random
    if not isinstance(seed, bool) and not 0 <= seed <= _COUNT_MAX:
        raise Invalid(f"{at}grants.random: a seed is a number from 0 to {_COUNT_MAX}")
    return Grants(
        dirs=tuple(dirs), http=tuple(given.http), listen=given.listen, clock=given.clock, random=seed
    )

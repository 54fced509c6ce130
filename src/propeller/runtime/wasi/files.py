"""Files and directories: ``wasi:filesystem``, within the directories of a task's grants."""

import errno
import hashlib
import os
import stat
from collections.abc import Callable
from typing import Any

from propeller.runtime.component.variants import Case, Err, Ok
from propeller.runtime.system.paths import failed, place_of
from propeller.runtime.wasi.descriptors import (
    KINDS,
    Descriptor,
    DirectoryEntries,
    FileInputStream,
    FileOutputStream,
    FileProblem,
    code_of,
    ensure_room,
    open_at,
    preopened,
)
from propeller.runtime.wasi.io import CHUNK_BYTES, Problem
from propeller.runtime.wasi.session import Session
from propeller.runtime.wasi.symlinks import leads_down

# -- contents ----------------------------------------------------------------------------------------------


def _read_via_stream(session: Session, it: Descriptor, offset: int) -> Ok:
    ensure_room(session)
    return Ok(session.add(FileInputStream(session, os.dup(it.reading()), offset)))


def _write_via_stream(session: Session, it: Descriptor, offset: int) -> Ok:
    ensure_room(session)
    return Ok(session.add(FileOutputStream(session, os.dup(it.writing()), offset)))


def _append_via_stream(session: Session, it: Descriptor) -> Ok:
    ensure_room(session)
    # Opened again, because a duplicate would share the flags of its original.
    number = os.open(f"/proc/self/fd/{it.writing()}", os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
    return Ok(session.add(FileOutputStream(session, number, None)))


def _read(session: Session, it: Descriptor, length: int, offset: int) -> Ok:
    data = os.pread(it.reading(), min(length, CHUNK_BYTES), offset)
    return Ok((data, bool(length) and not data))


def _write(session: Session, it: Descriptor, data: bytes, offset: int) -> Ok:
    return Ok(os.pwrite(it.writing(), data, offset))


def _sync(session: Session, it: Descriptor) -> Ok:
    os.fsync(it.number)
    return Ok()


def _sync_data(session: Session, it: Descriptor) -> Ok:
    os.fdatasync(it.number)
    return Ok()


def _set_size(session: Session, it: Descriptor, size: int) -> Ok:
    os.ftruncate(it.writing(), size)
    return Ok()


def _read_directory(session: Session, it: Descriptor) -> Ok:
    ensure_room(session)
    return Ok(session.add(DirectoryEntries(session, it.directory())))


# -- attributes of files --------------------------------------------------------------------------------


def _datetime(ns: int) -> dict[str, int] | None:
    return {"seconds": ns // 10**9, "nanoseconds": ns % 10**9} if ns >= 0 else None


def _stat_of(found: os.stat_result) -> Ok:
    return Ok(
        {
            "type": KINDS.get(stat.S_IFMT(found.st_mode), "unknown"),
            "link-count": found.st_nlink,
            "size": found.st_size,
            "data-access-timestamp": _datetime(found.st_atime_ns),
            "data-modification-timestamp": _datetime(found.st_mtime_ns),
            "status-change-timestamp": _datetime(found.st_ctime_ns),
        }
    )


def _hash_of(found: os.stat_result) -> Ok:
    digest = hashlib.sha256(f"{found.st_dev} {found.st_ino}".encode()).digest()
    return Ok({"lower": int.from_bytes(digest[:8]), "upper": int.from_bytes(digest[8:16])})


def _get_flags(session: Session, it: Descriptor) -> Ok:
    change = "mutate-directory" if it.is_directory else "write"
    return Ok({name for name, has in (("read", it.may_read), (change, it.may_change)) if has})


def _look_at(it: Descriptor, path_flags: set[str], path: str) -> os.stat_result:
    with place_of(it.directory(), path, follow="symlink-follow" in path_flags) as place:
        return os.stat(place.name, dir_fd=place.directory, follow_symlinks=False)


def _times(found: os.stat_result, accessed: Case, modified: Case, now_ns: int) -> tuple[int, int]:
    def ns(wanted: Case, present: int) -> int:
        if wanted.name == "timestamp":
            return int(wanted.payload["seconds"]) * 10**9 + int(wanted.payload["nanoseconds"])
        return now_ns if wanted.name == "now" else present

    return ns(accessed, found.st_atime_ns), ns(modified, found.st_mtime_ns)


def _set_times(session: Session, it: Descriptor, accessed: Case, modified: Case) -> Ok:
    number = it.directory(change=True) if it.is_directory else it.writing()
    os.utime(number, ns=_times(os.fstat(number), accessed, modified, session.sources.now(0)))
    return Ok()


def _set_times_at(  # noqa: PLR0917  these are the interface's
    session: Session, it: Descriptor, path_flags: set[str], path: str, accessed: Case, modified: Case
) -> Ok:
    base = it.directory(change=True)
    with place_of(base, path, follow="symlink-follow" in path_flags) as (directory, name):
        found = os.stat(name, dir_fd=directory, follow_symlinks=False)
        ns = _times(found, accessed, modified, session.sources.now(0))
        os.utime(name, ns=ns, dir_fd=directory, follow_symlinks=False)
    return Ok()


# -- changes in directories --------------------------------------------------------------------------------


def _create_directory(session: Session, it: Descriptor, path: str) -> Ok:
    with place_of(it.directory(change=True), path.rstrip("/"), follow=False) as (directory, name):
        os.mkdir(name, dir_fd=directory)
    return Ok()


def _remove_directory(session: Session, it: Descriptor, path: str) -> Ok:
    with place_of(it.directory(change=True), path, follow=False) as (directory, name):
        os.rmdir(name, dir_fd=directory)
    return Ok()


def _unlink_file(session: Session, it: Descriptor, path: str) -> Ok:
    with place_of(it.directory(change=True), path, follow=False) as (directory, name):
        os.unlink(name, dir_fd=directory)
    return Ok()


def _readlink(session: Session, it: Descriptor, path: str) -> Ok:
    with place_of(it.directory(), path, follow=False) as (directory, name):
        target = os.readlink(name, dir_fd=directory)
    if target.startswith("/"):
        raise failed(errno.EPERM)
    target.encode()  # raises where it is not UTF-8
    return Ok(target)


def _symlink(session: Session, it: Descriptor, target: str, path: str) -> Ok:
    if not leads_down(target):
        raise failed(errno.EPERM)
    with place_of(it.directory(change=True), path, follow=False) as (directory, name):
        os.symlink(target, name, dir_fd=directory)
    return Ok()


def _rename(session: Session, it: Descriptor, old: str, other: int, new: str) -> Ok:
    there = session.get(other, Descriptor).directory(change=True)
    with (
        place_of(it.directory(change=True), old, follow=False) as source,
        place_of(there, new, follow=False) as target,
    ):
        os.rename(source.name, target.name, src_dir_fd=source.directory, dst_dir_fd=target.directory)
    return Ok()


def _link(  # noqa: PLR0917  these are the interface's
    session: Session, it: Descriptor, path_flags: set[str], old: str, other: int, new: str
) -> Ok:
    """Make a hard link; from a directory that may only be read it would be a way to write to the file."""
    if "symlink-follow" in path_flags:
        raise failed(errno.EINVAL)
    there = session.get(other, Descriptor).directory(change=True)
    with (
        place_of(it.directory(change=True), old, follow=False) as source,
        place_of(there, new, follow=False) as target,
    ):
        os.link(
            source.name,
            target.name,
            src_dir_fd=source.directory,
            dst_dir_fd=target.directory,
            follow_symlinks=False,
        )
    return Ok()


# -- the tables --------------------------------------------------------------------------------------------


def _of_descriptor(function: Callable[..., Any]) -> Callable[..., Any]:
    """Call the function with its descriptor, and give the guest an error code where it fails."""

    def called(session: Session, number: int, *given: Any) -> Any:
        try:
            return function(session, session.get(number, Descriptor), *given)
        except (OSError, ValueError) as error:
            return Err(code_of(error))

    return called


def _next_entry(session: Session, number: int) -> Any:
    try:
        return Ok(session.get(number, DirectoryEntries).next())
    except (OSError, ValueError) as error:
        return Err(code_of(error))


def _is_same(session: Session, number: int, other: int) -> bool:
    one, two = (os.fstat(session.get(each, Descriptor).number) for each in (number, other))
    return os.path.samestat(one, two)


def _error_code(session: Session, error: int) -> str | None:
    problem = session.get(error, Problem)
    return problem.file_code if isinstance(problem, FileProblem) else None


_METHODS: dict[str, Callable[..., Any]] = {
    "read-via-stream": _read_via_stream,
    "write-via-stream": _write_via_stream,
    "append-via-stream": _append_via_stream,
    "advise": lambda session, it, offset, length, advice: Ok(),
    "sync-data": _sync_data,
    "sync": _sync,
    "get-flags": _get_flags,
    "get-type": lambda session, it: Ok("directory" if it.is_directory else "regular-file"),
    "set-size": _set_size,
    "set-times": _set_times,
    "set-times-at": _set_times_at,
    "read": _read,
    "write": _write,
    "read-directory": _read_directory,
    "create-directory-at": _create_directory,
    "stat": lambda session, it: _stat_of(os.fstat(it.number)),
    "stat-at": lambda session, it, flags, path: _stat_of(_look_at(it, flags, path)),
    "metadata-hash": lambda session, it: _hash_of(os.fstat(it.number)),
    "metadata-hash-at": lambda session, it, flags, path: _hash_of(_look_at(it, flags, path)),
    "open-at": open_at,
    "link-at": _link,
    "readlink-at": _readlink,
    "remove-directory-at": _remove_directory,
    "rename-at": _rename,
    "symlink-at": _symlink,
    "unlink-file-at": _unlink_file,
}

FUNCTIONS: dict[str, dict[str, Callable[..., Any]]] = {
    "wasi:filesystem/preopens": {"get-directories": preopened},
    "wasi:filesystem/types": {
        **{f"[method]descriptor.{name}": _of_descriptor(method) for name, method in _METHODS.items()},
        "[method]descriptor.is-same-object": _is_same,
        "[method]directory-entry-stream.read-directory-entry": _next_entry,
        "filesystem-error-code": _error_code,
    },
}

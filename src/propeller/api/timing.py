"""Reads retries, and the times that tasks, workflows and jobs may take."""

from propeller.core.failures import ErrorKind
from propeller.core.model import Defaults
from propeller.core.retry import KINDS, Retry
from propeller.errors import Invalid
from propeller.wire.durations import parse_duration
from propeller.wire.http.timing import ATTEMPTS_MAX, BACKOFF_MAX, DefaultsField, Duration, RetryField
from propeller.wire.validation import known_instead


def duration_ns(given: Duration, where: str) -> int:
    """Read a duration, ns."""
    try:
        return int(parse_duration(str(given)) * 1e9)
    except ValueError as error:
        raise Invalid(f'{where}: "{given}" {error}') from error


def retry_of(given: RetryField, at: str = "") -> Retry:
    where = f"{at}retry."
    if not 1 <= given.max_attempts <= ATTEMPTS_MAX:
        raise Invalid(
            f"{where}max_attempts: {given.max_attempts} is out of range; write how many attempts may fail, "
            f"the first included, from 1 to {ATTEMPTS_MAX}"
        )
    if not 1 <= given.backoff <= BACKOFF_MAX:
        raise Invalid(f"{where}backoff: {given.backoff:g} is out of range; write 1 to {BACKOFF_MAX}")
    if not 0 <= given.jitter <= 1:
        raise Invalid(f"{where}jitter: {given.jitter:g} is out of range; write a share from 0 to 1")
    plain = Retry()
    delay_ns = plain.delay_ns if given.delay is None else duration_ns(given.delay, f"{where}delay")
    longest_ns = plain.max_delay_ns
    if given.max_delay is not None:
        longest_ns = duration_ns(given.max_delay, f"{where}max_delay")
        if longest_ns < delay_ns:
            raise Invalid(f"{where}max_delay: it is shorter than delay; make it at least as long")
    return Retry(
        max_attempts=given.max_attempts,
        delay_ns=delay_ns,
        backoff=given.backoff,
        max_delay_ns=max(longest_ns, delay_ns),
        jitter=given.jitter,
        on=tuple(
            dict.fromkeys(_kind(name, f"{where}on[{number}]") for number, name in enumerate(given.on or ()))
        ),
    )


def defaults_of(given: DefaultsField | None, at: str = "") -> Defaults:
    if given is None:
        return Defaults()
    at = f"{at}defaults."

    def ns(value: Duration | None, name: str) -> int:
        return 0 if value is None else duration_ns(value, f"{at}{name}")

    return Defaults(
        retry=None if given.retry is None else retry_of(given.retry, at),
        timeout_ns=ns(given.timeout, "timeout"),
        deadline_ns=ns(given.deadline, "deadline"),
        queue_timeout_ns=ns(given.queue_timeout, "queue_timeout"),
    )


def _kind(name: str, where: str) -> ErrorKind:
    if name not in KINDS:
        raise Invalid(f'{where}: "{name}" is no kind of error; {known_instead(name, list(KINDS))}')
    return ErrorKind(name)

"""Everything that Propeller raises on purpose.

    PropellerError
    ├── Invalid            the request is wrong in itself (HTTP 400)
    ├── Unauthenticated    nobody knows who sends it, or the credentials are not good (401)
    ├── Forbidden          the client may not send it (403)
    ├── NotFound           a thing that it names does not exist (404)
    ├── Conflict           the present state does not allow it (409)
    ├── TooMany            its sender has failed too often; later it may be taken (429)
    ├── TooLarge           it is larger than the limit (413)
    ├── KeyReused          its idempotency key stands for another request (422)
    ├── StoreUnusable      the data can't be read or written: the program ends (exit code 1)
    │   └── LeadershipLost another manager of the same store has the lead, or may have it (503)
    │       └── OutcomeUnknown  it came in the middle, so that nobody knows whether it was done (502)
    ├── Unavailable        a thing that it needs is not there now; later it may be (503)
    ├── GuestFailed        the guest that it ran failed (502)
    ├── TimedOut           it waited for too long (504)
    ├── ModuleUnavailable  a module can't be fetched: the task that needs it fails, nothing else
    ├── CannotListen       the address is taken or unknown: the program ends (exit code 1)
    ├── BadCertificate     a certificate or its key can't be used: the program ends (exit code 1)
    ├── BrokerRefused      the broker refused the connection: the program ends (exit code 1)
    ├── AnotherManager     another manager serves the channel: the program ends (exit code 1)
    └── InvalidTransition  a task was moved against the table of moves: a defect of ours

A message names the field or the thing, what is wrong with it, and what to do.
"""


class PropellerError(Exception):
    """Root of the tree."""


class Invalid(PropellerError):
    """The request is wrong in itself."""


class Unauthenticated(PropellerError):
    """Who sends this request is not known: it has no credentials, or wrong ones."""


class Forbidden(PropellerError):
    """The client may not send this request."""


class NotFound(PropellerError):
    """A thing that the request names does not exist."""


def no_such(kind: str, name: str) -> NotFound:
    """Make an error of what was looked for, such as a task, and its id."""
    return NotFound(f"not found: there is no {kind} {name}")


class Conflict(PropellerError):
    """The present state does not allow the request."""


class TooMany(PropellerError):
    """The sender of the request has failed too often of late."""

    def __init__(self, message: str, retry_after_s: int) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class TooLarge(PropellerError):
    """The request is larger than the limit."""


class KeyReused(PropellerError):
    """The idempotency key of the request stands for another request."""


class StoreUnusable(PropellerError):
    """The data can't be used; the message says what is wrong, and what of it is lost."""


class LeadershipLost(StoreUnusable):
    """Another manager of the same database leads, or may lead, so that this one may not write and act."""


class OutcomeUnknown(LeadershipLost):
    """The lead or the database was lost while the request was carried out: it was done, or may have been."""


class Unavailable(PropellerError):
    """A thing that the request needs is not there now."""


class GuestFailed(PropellerError):
    """The guest that the request ran did not come to a good end."""


class TimedOut(PropellerError):
    """The request waited for too long."""


class ModuleUnavailable(PropellerError):
    """A registry or a server on the web does not give the module that a reference names."""


class CannotListen(PropellerError):
    """The manager can't listen on the address it was given."""


class BadCertificate(PropellerError):
    """The certificate of the API, its key or the CAs of its clients can't be used."""


class BrokerRefused(PropellerError):
    """The broker does not let this identity in."""


class AnotherManager(PropellerError):
    """Another manager is alive on the channel, and two can't serve it."""


class InvalidTransition(PropellerError):
    """A task was moved against the table of moves; a defect of ours, never of the input."""

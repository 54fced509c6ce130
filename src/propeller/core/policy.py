"""Policy: the numbers of the rules that a user may set."""

import msgspec

from propeller.core.model import JobMode
from propeller.core.placement import Order


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """What a user may set about the rules."""

    #: How often a task is run again after its proplet was lost while it ran.
    losses_max: int = 3
    #: A proplet that is silent for longer is lost.
    liveness_s: float = 30.0
    #: One of which the broker says that it is gone has so long to show that it is not.
    offline_s: float = 3.0
    #: A start that a proplet does not list this long after it was sent is sent again.
    resend_s: float = 5.0
    #: How long a task may be on a foreign proplet, which would not say that it never got it.
    foreign_lease_s: float = 3600.0
    #: How many tasks a foreign proplet is given at once.
    foreign_slots: int = 10
    #: How many foreign proplets are known at once: anybody can make some up where nothing names them.
    foreign_max: int = 1000
    #: A proplet that was not heard of for longer is forgotten.
    forget_s: float = 86_400.0
    placement: Order = Order.ROUND_ROBIN
    #: Mode of a job that names none.
    job_mode: JobMode = JobMode.CONFIGURABLE

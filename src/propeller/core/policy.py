"""The policy: what a user may set about the rules."""

import msgspec

from propeller.core.model import JobMode
from propeller.core.placement import Order
from propeller.core.trust import NO_TRUST, Trust


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """The settings of the rules."""

    #: How often a task is run again after its proplet was lost while it ran.
    losses_max: int = 3
    #: A proplet that is silent for longer is lost.
    liveness_s: float = 30.0
    #: How long a proplet whose connection broke has to come back, before it is lost.
    offline_s: float = 3.0
    #: How long a proplet has to name a task after its start was sent; then the start is sent again.
    resend_s: float = 5.0
    #: How long a task may be on a foreign proplet, which would not say if it never got the start.
    foreign_lease_s: float = 3600.0
    #: How many tasks a foreign proplet is given at once.
    foreign_slots: int = 10
    #: How many foreign proplets are known at once. A limit, because any program at the broker can invent ids.
    foreign_max: int = 1000
    #: How long after a proplet was lost it is forgotten.
    forget_s: float = 86_400.0
    placement: Order = Order.ROUND_ROBIN
    #: Mode of a job that names none.
    job_mode: JobMode = JobMode.CONFIGURABLE
    #: Which modules tasks may run.
    trust: Trust = NO_TRUST

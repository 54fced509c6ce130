"""The application of a manager that does not lead: it answers what is committed, and forwards the rest."""

from propeller.api.app import Application, all_endpoints
from propeller.api.context import Context
from propeller.api.forwarding import Forwarding
from propeller.manager.follower import Follower


def create_follower_app(
    follower: Follower, forwarding: Forwarding, *, instance_id: str, has_page: bool = True
) -> Application:
    """Build the HTTP API of a manager that follows, and was started; the caller closes what it gives."""
    context = Context(follower, instance_id=instance_id)
    return Application(context, all_endpoints(has_page=has_page), to_leader=forwarding)

"""docs/security.md has a row for each route, with what each role may do there."""

from pathlib import Path

from propeller.access.roles import NEEDS, Action, Role, may
from propeller.api.app import all_endpoints

PAGE = (Path(__file__).parents[2] / "docs" / "security.md").read_text()


def cell(role, action):
    if not may(role, action):
        return "no"
    return "own" if action is Action.CHANGE and role is Role.SUBMITTER else "yes"


def row(endpoint):
    roles = [cell(role, endpoint.action) for role in Role]
    everybody = "yes" if NEEDS[endpoint.action] is None else "no"
    return (
        f"| `{endpoint.method} {endpoint.path}` | {' | '.join([str(endpoint.action), everybody, *roles])} |"
    )


def test_each_route_has_its_row():
    wanted = [row(endpoint) for endpoint in all_endpoints(has_page=True)]
    found = [
        line for line in PAGE.splitlines() if line.startswith(("| `GET", "| `POST", "| `PUT", "| `DELETE"))
    ]
    assert found == wanted, "write into docs/security.md:\n" + "\n".join(wanted)

"""Guest runs that a proplet makes from starts."""

from tests.guests.helpers import guest

from propeller.core.sandbox import Offer, Sandbox
from propeller.proplet.actions import StartRun
from propeller.proplet.guest_runs import GuestRuns
from propeller.proplet.module_store import ModuleStore
from propeller.proplet.sandbox_policy import SandboxPolicy
from propeller.runtime.guest_run import Limits, Trust
from propeller.wire.fleet.from_manager import Start

SECOND_NS = 10**9


def test_guests_trust_the_certificates_that_their_proplet_trusts(tmp_path):
    trust = Trust(ca_cert="/etc/ca.pem")
    runs = GuestRuns("p", SandboxPolicy(trust=trust), ModuleStore(tmp_path, bytes_max=1000))
    assert runs.of(StartRun(1, Start(id="a", name="f"), "0" * 64)).trust == trust


def server(tmp_path, *, is_external=False, **fields):
    modules = ModuleStore(tmp_path, bytes_max=10**9)
    digest = modules.put(guest("http_server"))
    policy = SandboxPolicy(limits=Limits(timeout_ns=5 * SECOND_NS), offer=Offer(is_external=is_external))
    limits = GuestRuns("p", policy, modules).of(StartRun(1, Start(id="a", name="f", **fields), digest)).limits
    return limits.timeout_ns // SECOND_NS, limits.request_ns // SECOND_NS


def test_the_timeout_of_a_server_is_that_of_each_request(tmp_path):
    asked = Sandbox(timeout_ns=90 * SECOND_NS)
    assert server(tmp_path) == (0, 30)
    assert server(tmp_path, sandbox=asked) == (0, 90)
    assert server(tmp_path, sandbox=asked, daemon=True) == (0, 90)
    assert server(tmp_path, sandbox=asked, latent=True) == (90, 30), "it is invoked, and serves nothing"
    assert server(tmp_path, sandbox=asked, is_external=True) == (90, 30)


def test_a_server_that_names_no_port_begins_at_the_one_that_is_set(tmp_path):
    modules = ModuleStore(tmp_path, bytes_max=10**9)
    runs = GuestRuns("p", SandboxPolicy(http_port=9000), modules)
    start = Start(id="a", name="f")
    assert runs.of(StartRun(1, start, modules.put(guest("http_server")))).port == 9000
    assert runs.of(StartRun(1, start, modules.put(guest("hello")))).port == 0

"""Guest runs that a proplet makes from starts."""

from propeller.proplet.actions import StartRun
from propeller.proplet.guest_runs import GuestRuns
from propeller.proplet.module_store import ModuleStore
from propeller.proplet.sandbox_policy import SandboxPolicy
from propeller.runtime.guest_run import Trust
from propeller.wire.fleet.from_manager import Start


def test_guests_trust_the_certificates_that_their_proplet_trusts(tmp_path):
    trust = Trust(ca_cert="/etc/ca.pem")
    runs = GuestRuns("p", SandboxPolicy(trust=trust), ModuleStore(tmp_path, bytes_max=1000))
    assert runs.of(StartRun(1, Start(id="a", name="f"), "0" * 64)).trust == trust

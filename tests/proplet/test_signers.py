"""What a proplet runs where the start says which keys count."""

import base64
from hashlib import sha256

import pytest
from msgspec import UNSET
from tests.registry.signing_helpers import payload_of

from propeller.core.failures import ErrorKind
from propeller.core.ran import Ran
from propeller.core.sandbox import Grants
from propeller.proplet.account import Account
from propeller.proplet.actions import Fetch, Keep, Outcome, StartRun
from propeller.proplet.machine import Machine
from propeller.proplet.module_fetcher import NO_IMAGE
from propeller.signing.images import ImageSignature, SignedImage
from propeller.signing.keys import generate, private_key
from propeller.signing.signatures import sign
from propeller.wire.fleet.from_manager import Start

ANN, BOB = (private_key(generate()[0]) for _ in range(2))
KEYS = {"ann": ANN.public().text}
DIGEST = sha256(b"a module").hexdigest()
IMAGE = "registry.example/it:1"
URL = "https://example.com/it.wasm"


def image_signed_by(*keys, digest="sha256:manifest"):
    payload = payload_of(digest, "registry.example/it")
    made = (ImageSignature(payload, base64.b64encode(key.sign(payload)).decode()) for key in keys)
    return SignedImage(digest, tuple(made))


def a_machine():
    return Machine("p", boot=1, slots=2)


def a_start(task_id="a", **fields):
    return Start(id=task_id, name="main", attempt=1, placed_at=10, **{"keys": KEYS, **fields})


def refusal(action):
    assert isinstance(action, Keep), action
    assert action.report.error_kind == ErrorKind.REFUSED
    return action.report.error


@pytest.mark.parametrize("is_here", [True, False])
def test_a_module_by_digest_runs_if_its_signature_is_by_one_of_the_keys(is_here):
    source = f"sha256:{DIGEST}"
    for task_id, signature, is_good in (
        ("a", sign(ANN, DIGEST), True),
        ("b", sign(BOB, DIGEST), False),
        ("c", sign(ANN, "0" * 64), False),
        ("d", None, False),
    ):
        machine = a_machine()
        if is_here:
            machine.module_arrived(source, DIGEST, 0)
        more = {} if signature is None else {"signature": signature}
        actions = machine.receive(a_start(task_id, module=source, **more), 0)
        if not is_here:
            assert actions == [Fetch(source)]
            actions = machine.module_arrived(source, DIGEST, 0, NO_IMAGE)
        (action,) = actions
        if is_good:
            assert isinstance(action, StartRun)
        else:
            said = f"none of the keys that count (ann) has signed the module sha256:{DIGEST}"
            assert said in refusal(action)
            assert machine.alive("default").running == [(task_id, 1)]


def test_an_image_runs_if_its_registry_has_a_signature_by_one_of_the_keys():
    for image, is_good in (
        (image_signed_by(BOB, ANN), True),
        (image_signed_by(BOB), False),
        (image_signed_by(), False),
        (NO_IMAGE, False),
    ):
        machine = a_machine()
        assert machine.receive(a_start(image_url=IMAGE), 0) == [Fetch(IMAGE, with_signatures=True)]
        (action,) = machine.module_arrived(IMAGE, DIGEST, 0, image)
        if is_good:
            assert isinstance(action, StartRun)
        else:
            assert "none of the keys that count (ann) has signed" in refusal(action)


@pytest.mark.parametrize("source", [IMAGE, URL])
def test_what_is_fetched_also_runs_by_a_signature_that_came_with_the_task(source):
    for signature, is_good in ((sign(ANN, DIGEST), True), (sign(BOB, DIGEST), False)):
        machine = a_machine()
        machine.receive(a_start(image_url=source, signature=signature), 0)
        (action,) = machine.module_arrived(source, DIGEST, 0, NO_IMAGE)
        assert isinstance(action, StartRun) is is_good


def test_a_start_that_asks_for_signatures_waits_for_a_fetch_that_brings_them():
    machine = a_machine()
    assert machine.receive(a_start("plain", image_url=IMAGE, keys={}), 0) == [Fetch(IMAGE)]
    assert machine.receive(a_start("strict", image_url=IMAGE), 0) == []
    plain, again = machine.module_arrived(IMAGE, DIGEST, 0)
    assert isinstance(plain, StartRun)
    assert again == Fetch(IMAGE, with_signatures=True)
    assert machine.time_passed(1) == [again]
    (strict,) = machine.module_arrived(IMAGE, DIGEST, 0, image_signed_by(ANN))
    assert (isinstance(strict, StartRun), strict.start.id) == (True, "strict")


def test_a_report_says_what_ran_and_who_had_signed_it():
    grants = Grants(http=("a.test",))
    account = Account(runtime="wasmtime 50", version="1", grants_of=lambda _: grants)
    machine = Machine("p", boot=1, slots=2, account=account)
    machine.receive(a_start(image_url=IMAGE), 0)
    (run,) = machine.module_arrived(IMAGE, DIGEST, 0, image_signed_by(ANN))
    (kept,) = machine.ended(Outcome(key=run.key, results="3", started_at=5, finished_at=6), 0)
    assert kept.report.ran == Ran(
        digest=DIGEST, runtime="wasmtime 50", version="1", signer="ann", grants=grants
    )
    machine.receive(a_start("b", image_url=IMAGE), 0)
    (refused,) = machine.module_arrived(IMAGE, DIGEST, 0, image_signed_by(BOB))
    assert refused.report.ran is UNSET


def test_keys_that_can_not_be_read_let_nothing_run():
    machine = a_machine()
    machine.receive(a_start(image_url=IMAGE, keys={"ann": "no key"}), 0)
    (action,) = machine.module_arrived(IMAGE, DIGEST, 0, image_signed_by(ANN))
    assert "is no public key" in refusal(action)

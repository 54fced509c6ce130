"""The proplet's real process, from its first word to its last."""

import json

import pytest
import wasmtime
from tests.builders import ADDITION, module_of, padded
from tests.proplet.helpers import LOOP, a_proplet
from tests.waiting import gone

from propeller.wire.fleet.codec import to_line
from propeller.wire.fleet.from_manager import Ack, Start
from propeller.wire.fleet.from_proplet import Alive, HandBack, Results
from propeller.wire.fleet.modules import CHUNK_BYTES, ModuleChunk, ModuleRequest, module_chunks

DIGEST = module_of(ADDITION).digest
NAME = f"sha256:{DIGEST}"


def start_of(task_id, attempt=1, **fields):
    return Start(**{"id": task_id, "name": "main", "module": NAME, "attempt": attempt, **fields})


# -- from a start to a result --------------------------------------------------------------------------------


def test_it_says_who_it_is_and_runs_what_it_is_told(tmp_path):
    with a_proplet(tmp_path, slots=3, namespace="here") as proplet:
        hello = proplet.hello()
        assert (hello.proplet_id, hello.namespace, hello.slots) == ("p", "here", 3)
        assert hello.boot
        assert hello.metadata.keys() >= {"environment", "os", "cpu_arch", "proplet_version", "wasm_runtime"}
        proplet.start("t", ADDITION, "10", "20")
        result = proplet.result("t")
        assert (result.results, result.error, result.proplet_id) == ("30\n", None, "p")
        assert 0 < result.started_at <= result.finished_at
        assert proplet.requests == [NAME]
        assert (tmp_path / "modules" / DIGEST).read_bytes() == ADDITION
        proplet.start("u", ADDITION, "1", "2")
        assert proplet.result("u").results == "3\n"
        assert proplet.requests == [NAME], "a module is asked for once"


def test_signs_of_life_come_as_often_as_is_set(tmp_path):
    with a_proplet(tmp_path, heartbeat_s=0.02) as proplet:
        for _ in range(100):
            proplet.wait_for(Alive)


def test_a_module_of_many_chunks_in_any_order_and_twice(tmp_path):
    wasm = padded(3 * CHUNK_BYTES)
    chunks = list(module_chunks(module_of(wasm), wasm))
    assert len(chunks) == 4
    with a_proplet(tmp_path) as proplet:
        proplet.send(start_of("t", module=f"sha256:{module_of(wasm).digest}", inputs=["10", "20"]))
        proplet.wait_for(ModuleRequest)
        proplet.send(chunks[2], chunks[0], chunks[0], chunks[3], chunks[2], chunks[1], chunks[1])
        assert proplet.result("t").results == "30\n"


def test_many_tasks_at_once_ask_for_their_module_once(tmp_path):
    with a_proplet(tmp_path) as proplet:
        for n in range(200):
            proplet.start(f"t{n}", ADDITION, str(n), "1")
        for n in range(200):
            assert proplet.result(f"t{n}").results == f"{n + 1}\n"
        assert proplet.requests == [NAME]


def test_modules_are_still_there_after_a_restart(tmp_path):
    boots = set()
    for requests in ([NAME], []):
        with a_proplet(tmp_path) as proplet:
            boots.add(proplet.hello().boot)
            proplet.start("t", ADDITION, "10", "20")
            assert proplet.result("t").results == "30\n"
            assert proplet.requests == requests
    assert len(boots) == 2, "each start of the program is told from the last"


def test_a_module_that_was_damaged_on_disk_is_asked_for_again(tmp_path):
    (tmp_path / "modules").mkdir()
    (tmp_path / "modules" / DIGEST).write_bytes(ADDITION[:20])
    with a_proplet(tmp_path) as proplet:
        proplet.start("t", ADDITION, "10", "20")
        assert proplet.result("t").results == "30\n"
        assert proplet.requests == [NAME]


def test_the_task_gets_its_environment(tmp_path):
    with a_proplet(tmp_path) as proplet:
        proplet.modules[NAME] = ADDITION
        proplet.send(start_of("t", inputs=["1", "2"], env={"K": "V"}, proplet_id="p", cli_args=None))
        assert proplet.result("t").results == "3\n"


# -- repeats and stops ---------------------------------------------------------------------------------------


def test_a_start_that_comes_twice_runs_once_and_is_reported_until_it_is_acknowledged(tmp_path):
    with a_proplet(tmp_path) as proplet:
        for _ in range(2):
            proplet.start("t", ADDITION, "1", "2")
        first = proplet.wait_for(Results)
        proplet.start("t", ADDITION, "1", "2")
        assert proplet.wait_for(Results) == first, "the same report, not a second run"
        proplet.send(Ack(ended=[("t", 1)]))
        proplet.start("t", ADDITION, "1", "2")
        proplet.start("t", ADDITION, "1", "4", attempt=2)
        assert proplet.result("t", attempt=2).results == "5\n"
        assert proplet.all_messages(Results) == []


def test_a_stopped_run_ends_and_is_not_reported(tmp_path):
    with a_proplet(tmp_path, slots=1) as proplet:
        (endless,) = proplet.fill(1)
        proplet.stop(endless)
        proplet.start("t", ADDITION, "1", "2")
        assert proplet.result("t").results == "3\n", "its place is free"
        assert proplet.all_messages(Results) == []
        assert proplet.all_messages(HandBack) == []


def test_a_task_can_be_stopped_while_its_module_is_awaited(tmp_path):
    with a_proplet(tmp_path) as proplet:
        proplet.send(start_of("t"))
        proplet.wait_for(ModuleRequest)
        proplet.stop("t")
        proplet.modules[NAME] = ADDITION
        proplet.send(*module_chunks(module_of(ADDITION), ADDITION))
        proplet.start("u", ADDITION, "1", "2")
        assert proplet.result("u").results == "3\n"
        assert proplet.all_messages(Results) == []


# -- what goes wrong -----------------------------------------------------------------------------------------


def test_a_module_that_the_manager_does_not_have(tmp_path):
    with a_proplet(tmp_path) as proplet:
        proplet.send(start_of("t"), start_of("u"))
        proplet.wait_for(ModuleRequest)
        proplet.send(ModuleChunk(app_name=NAME, chunk_idx=0, total_chunks=0, data=""))
        for task_id in "tu":
            result = proplet.result(task_id)
            assert (result.results, result.error) == ("", f"there is no module {NAME}")
        proplet.start("v", ADDITION, "1", "2")
        assert proplet.result("v").results == "3\n", "it is asked for again"


def test_a_task_without_a_module(tmp_path):
    with a_proplet(tmp_path) as proplet:
        proplet.send(Start(id="t", name="main", attempt=1))
        assert "without a module" in proplet.result("t").error


@pytest.mark.parametrize(
    "chunks",
    [
        [{"data": "AAAA"}],
        [{"data": "this is not base64!"}],
        [{"data": "A"}],
        [{"data": "ü"}],
        [{"chunk_idx": 7}],
    ],
)
def test_damaged_chunks_fail_the_task_with_a_reason_and_harm_nobody_else(tmp_path, chunks):
    other = padded(10)
    good = {"app_name": NAME, "chunk_idx": 0, "total_chunks": 1, "data": ""}
    with a_proplet(tmp_path) as proplet:
        proplet.start("other", other, "10", "20")
        proplet.result("other")
        proplet.send(start_of("t"))
        proplet.wait_for(ModuleRequest, lambda request: request.app_name == NAME)
        proplet.send(*(ModuleChunk(**{**good, **chunk}) for chunk in chunks))
        assert proplet.result("t").error == f"module {NAME} arrived damaged"
        proplet.start("u", ADDITION, "1", "2")
        assert proplet.result("u").results == "3\n", "a whole one is asked for and used"


def test_lines_that_can_not_be_read_are_skipped(tmp_path):
    with a_proplet(tmp_path) as proplet:
        for line in (b"", b"\xff\x00", b"[]", b'["control/manager/start",{"id":5}]', b"x" * 100_000):
            proplet.send_bytes(line + b"\n")
        proplet.start("t", ADDITION, "10", "20")
        assert proplet.result("t").results == "30\n"


def test_a_message_in_pieces_is_read(tmp_path):
    with a_proplet(tmp_path) as proplet:
        proplet.modules[NAME] = ADDITION
        for byte in to_line(start_of("t", inputs=["10", "20"])):
            proplet.send_bytes(bytes([byte]))
        assert proplet.result("t").results == "30\n"


def test_failures_of_guests_are_reported(tmp_path):
    with a_proplet(tmp_path) as proplet:
        proplet.start("export", ADDITION, "1", "2", export="nope")
        proplet.start("inputs", ADDITION, "1")
        proplet.start("module", b"this is no Wasm")
        for task_id, word in (("export", "nope"), ("inputs", "2"), ("module", "WebAssembly")):
            result = proplet.result(task_id)
            assert result.results == ""
            assert word in result.error


# -- the end -------------------------------------------------------------------------------------------------


def test_sigterm_hands_running_work_back_and_exits_in_peace(tmp_path):
    with a_proplet(tmp_path, slots=2) as proplet:
        running = proplet.fill(2)
        family = proplet.family()
        proplet.terminate()
        for task_id in running:
            assert proplet.hand_back(task_id).reason == "the proplet is stopping"
        goodbye = proplet.wait_for(Alive, lambda message: message.status == "offline")
        assert goodbye.boot == proplet.hello().boot
        assert proplet.ended() == 0
        assert gone(family)


def test_what_comes_after_sigterm_is_handed_back(tmp_path):
    with a_proplet(tmp_path) as proplet:
        proplet.hello()
        proplet.start("a", LOOP)
        proplet.wait_for(ModuleRequest)
        proplet.terminate()
        proplet.wait_for(HandBack, lambda message: message.task_id == "a")
        proplet.start("late", ADDITION, "1", "2")
        assert proplet.hand_back("late").reason == "the proplet is stopping"
        proplet.send(Ack(ended=[("a", 1)]))
        assert proplet.ended() == 0


def test_results_that_wait_for_their_acknowledgement_are_waited_for(tmp_path):
    with a_proplet(tmp_path) as proplet:
        proplet.start("t", ADDITION, "1", "2")
        proplet.wait_for(Results)
        proplet.terminate()
        proplet.wait_for(Alive, lambda message: message.status == "offline")
        assert proplet.process.poll() is None
        proplet.send(Ack(ended=[("t", 1)]))
        assert proplet.ended() == 0


def test_without_its_manager_it_ends_and_leaves_no_process(tmp_path):
    with a_proplet(tmp_path, slots=2) as proplet:
        proplet.fill(2)
        family = proplet.family()
        assert len(family) >= 3, "a fork server and two runners"
        proplet.hang_up()
        assert proplet.ended() == 0
        assert gone(family)


def test_killed_it_leaves_no_process(tmp_path):
    with a_proplet(tmp_path, slots=2) as proplet:
        proplet.start("a", LOOP)
        proplet.start("b", ADDITION, "1", "2")
        proplet.result("b")
        family = proplet.family()
        proplet.process.kill()
        assert gone(family)


def test_a_runner_that_is_killed_loses_its_own_task_alone(tmp_path):
    with a_proplet(tmp_path, slots=2) as proplet:
        proplet.start("a", LOOP)
        proplet.start("b", ADDITION, "1", "2")
        proplet.result("b")
        runners = [child for child in proplet.family() if child.ppid() != proplet.process.pid]
        busiest = max(runners, key=lambda runner: sum(runner.cpu_times()[:2]))
        busiest.kill()
        lost = proplet.hand_back("a")
        assert lost.is_lost
        assert "died with signal 9" in lost.reason
        proplet.start("c", ADDITION, "1", "2")
        assert proplet.result("c").results == "3\n"


def test_the_death_of_the_fork_server_fails_nobody(tmp_path):
    with a_proplet(tmp_path, slots=2) as proplet:
        proplet.start("a", LOOP)
        proplet.start("b", ADDITION, "1", "2")
        proplet.result("b")
        (forkserver,) = [child for child in proplet.family() if child.ppid() == proplet.process.pid]
        forkserver.kill()
        lost = proplet.hand_back("a")
        assert lost.is_lost
        assert "ended together with the process that starts such processes" in lost.reason
        answer = lost
        while isinstance(answer, HandBack):  # a new one may take longer than a run waits there
            proplet.start("a", ADDITION, "1", "2", attempt=answer.attempt + 1)
            answer = proplet.wait_for(Results | HandBack)
            proplet.send(Ack(ended=[("a", answer.attempt)]))
        assert answer.results == "3\n"


@pytest.mark.parametrize("kind", [{}, {"daemon": True}, {"latent": True}])
def test_what_can_not_begin_has_failed_and_is_not_begun_again_and_again(tmp_path, kind):
    wat = """(component (import "acme:db/store@1.0.0" (instance (export "get" (func))))
      (core module $m (func (export "f"))) (core instance $i (instantiate $m))
      (func (export "main") (canon lift (core func $i "f"))))"""
    with a_proplet(tmp_path) as proplet:
        proplet.start("a", bytes(wasmtime.wat2wasm(wat)), **kind)
        assert proplet.result("a").error == "it imports acme:db/store@1.0.0, which is not offered"


def test_its_messages_are_lines_of_json(tmp_path):
    with a_proplet(tmp_path) as proplet:
        topic, body = json.loads(to_line(proplet.hello()))
        assert topic == "control/proplet/create"
        assert body["metadata"]["wasm_runtime"] == "wasmtime-internal"


def test_encrypted_work_is_refused_with_what_to_do(tmp_path):
    with a_proplet(tmp_path, kbs_uri="https://kbs.example") as proplet:
        image = "registry.example/secret:v1"
        proplet.send(Start(id="t", name="main", image_url=image, encrypted=True, attempt=1))
        error = proplet.result("t").error
        assert error.startswith("TEE runtime not available: the machine of this proplet is no TDX or SEV-SNP")


# -- another runtime -----------------------------------------------------------------------------------------


def test_guests_run_in_the_program_that_its_owner_has_named(tmp_path, wasmtime_program):
    with a_proplet(tmp_path, slots=2, external_runtime=wasmtime_program) as proplet:
        assert proplet.hello().metadata["wasm_runtime"] == wasmtime_program
        proplet.start("a", LOOP)
        proplet.start("b", ADDITION, "10", "20")
        assert proplet.result("b").results == "30\n"
        (running,) = proplet.family()
        assert running.exe() == wasmtime_program
        proplet.stop("a")
        assert gone([running])
        proplet.start("c", LOOP)
        proplet.start("d", ADDITION, "x", "20")
        assert proplet.result("d").error.startswith("Process exited with status: exit status: 1, stderr: ")
        proplet.terminate()
        proplet.hand_back("c")
        assert proplet.ended() == 0


def test_without_that_program_guests_run_all_the_same(tmp_path):
    with a_proplet(tmp_path, external_runtime="/nowhere/runtime") as proplet:
        assert proplet.hello().metadata["wasm_runtime"] == "wasmtime-internal"
        proplet.start("a", ADDITION, "10", "20")
        assert proplet.result("a").results == "30\n"
        proplet.process.kill()
        assert "external runtime /nowhere/runtime: no program" in proplet.process.stderr.read()

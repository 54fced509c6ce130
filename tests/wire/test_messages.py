"""Messages between manager and proplets: word for word as the contract prints them, and through any socket."""

import base64
import contextlib
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.builders import a_spec, filled_spec, module_of, padded

from propeller.core.effects import AskHello, SendAck, SendInvoke, SendStart, SendStop
from propeller.core.events import PropletOffline, PropletSeen, RunEnded, RunHandedBack
from propeller.core.failures import ErrorKind, Failure
from propeller.core.model import Module, Spec
from propeller.wire.fleet.codec import LineSplitter, decode, from_line, to_line
from propeller.wire.fleet.facts import fact_of
from propeller.wire.fleet.from_manager import Ack, Announcement, Hello, Start, Stop
from propeller.wire.fleet.from_proplet import (
    Alive,
    Compiling,
    Create,
    HandBack,
    InvokeResults,
    Join,
    Logs,
    Results,
    Up,
)
from propeller.wire.fleet.messages import TOPICS, Message
from propeller.wire.fleet.metrics import Metrics, TaskMetrics
from propeller.wire.fleet.modules import CHUNK_BYTES, ModuleChunk, ModuleRequest, module_chunks
from propeller.wire.fleet.outgoing import messages_to_native, wire_inputs


def told(effect):
    (message,) = messages_to_native([effect])["P1"]
    return message


#: ``mqtt``, section 3.1; the module comes by digest instead of inline, and the attempt is ours.
START = (
    '["control/manager/start",{"id":"task-001","name":"main","state":0,"image_url":"docker.io/acme/sum:v1",'
    '"module":"sha256:ab","inputs":["10","20"],"cli_args":["--invoke","main"],"broadcast":false,"daemon":false,'
    '"latent":false,"env":{"K":"V"},"encrypted":false,"kbs_resource_path":"default/key/k1",'
    '"monitoring_profile":{"enabled":true,"interval":5},"proplet_id":"P1","hal_storage_path":"/var/hal/t1",'
    '"parent_results":{"task-000":"30\\n"},"attempt":2,"placed_at":4}]\n'
)
#: Nothing that may be left out.
BARE_START = (
    '["control/manager/start",{"id":"t","name":"main","state":0,"cli_args":null,"broadcast":false,'
    '"daemon":false,"latent":false,"encrypted":false,"proplet_id":"P1","attempt":1,"placed_at":4}]\n'
)
#: Each message as an object and as its line; ``mqtt``, sections 3.2 to 5, with our fields behind.
GOLDEN = [
    (
        told(SendStop("P1", "task-001", 3)),
        '["control/manager/stop",{"broadcast":false,"id":"task-001","proplet_id":"P1","attempt":3}]\n',
    ),
    (Stop(id="t"), '["control/manager/stop",{"broadcast":false,"id":"t"}]\n'),
    (told(AskHello("P1")), '["control/manager/hello",{}]\n'),
    (told(SendAck("P1", "t", 3)), '["control/manager/ack",{"ended":[["t",3]]}]\n'),
    (
        Create(proplet_id="P1", boot=7, slots=4, metadata={"os": "linux", "tags": ["edge"]}),
        (
            '["control/proplet/create",{"proplet_id":"P1","namespace":"default","metadata":{"os":"linux",'
            '"tags":["edge"]},"boot":7,"slots":4}]\n'
        ),
    ),
    (
        Alive(proplet_id="P1", boot=7, slots=4, running=[("t", 2)]),
        (
            '["control/proplet/alive",{"proplet_id":"P1","status":"alive","namespace":"default","boot":7,'
            '"slots":4,"running":[["t",2]]}]\n'
        ),
    ),
    (
        Alive(proplet_id="P1", status="offline"),
        ('["control/proplet/alive",{"proplet_id":"P1","status":"offline","namespace":"default"}]\n'),
    ),
    (
        Results(
            task_id="t",
            proplet_id="P1",
            results="30\n",
            attempt=1,
            placed_at=4,
            started_at=5,
            finished_at=7,
        ),
        (
            '["control/proplet/results",{"task_id":"t","proplet_id":"P1","results":"30\\n","error":null,'
            '"attempt":1,"placed_at":4,"started_at":5,"finished_at":7}]\n'
        ),
    ),
    (
        Results(task_id="t", proplet_id="P1", results="", error="Failed to compile", attempt=1),
        (
            '["control/proplet/results",{"task_id":"t","proplet_id":"P1","results":"",'
            '"error":"Failed to compile","attempt":1}]\n'
        ),
    ),
    (
        HandBack(task_id="t", proplet_id="P1", attempt=2, reason="busy"),
        '["control/proplet/handback",{"task_id":"t","proplet_id":"P1","attempt":2,"reason":"busy"}]\n',
    ),
    (
        HandBack(task_id="t", proplet_id="P1", attempt=2, placed_at=4, newest=3, reason="past"),
        (
            '["control/proplet/handback",{"task_id":"t","proplet_id":"P1","attempt":2,"reason":"past",'
            '"placed_at":4,"newest":3}]\n'
        ),
    ),
    (
        HandBack(task_id="t", proplet_id="P1", attempt=2, is_lost=True, reason="killed"),
        (
            '["control/proplet/handback",{"task_id":"t","proplet_id":"P1","attempt":2,"reason":"killed",'
            '"is_lost":true}]\n'
        ),
    ),
    (
        Compiling(task_id="t", proplet_id="P1", attempt=2, size_bytes=5_000_000, placed_at=4),
        (
            '["control/proplet/compiling",{"task_id":"t","proplet_id":"P1","attempt":2,'
            '"size_bytes":5000000,"placed_at":4}]\n'
        ),
    ),
    (
        Up(task_id="t", proplet_id="P1", attempt=2, is_up=True, results="started at port 8222", restarts=1),
        (
            '["control/proplet/up",{"task_id":"t","proplet_id":"P1","attempt":2,"is_up":true,'
            '"results":"started at port 8222","restarts":1,"error":""}]\n'
        ),
    ),
    (
        told(
            SendInvoke(
                proplet_id="P1",
                task_id="task-9",
                attempt=1,
                invocation_id="5f3c",
                inputs=['"world"'],
                env={"GREETING": "hola"},
                timeout_ns=9,
            )
        ),
        (
            '["control/manager/invoke",{"broadcast":false,"id":"task-9","inputs":["\\"world\\""],'
            '"invocation_id":"5f3c","proplet_id":"P1","env":{"GREETING":"hola"},"timeout_ns":9}]\n'
        ),
    ),
    (
        InvokeResults(task_id="task-9", invocation_id="5f3c", proplet_id="P1", results='"Hello"'),
        (
            '["control/proplet/invoke_results",{"task_id":"task-9","invocation_id":"5f3c","proplet_id":"P1",'
            '"results":"\\"Hello\\"","error":null}]\n'
        ),
    ),
    (
        Logs(task_id="t", proplet_id="P1", attempt=2, stream="stderr", offset=4, text="ü\n", at=5),
        (
            '["control/proplet/logs",{"task_id":"t","proplet_id":"P1","attempt":2,"stream":"stderr",'
            '"offset":4,"text":"ü\\n","is_cut":false,"at":5}]\n'
        ),
    ),
    (ModuleRequest(app_name="sha256:ab"), '["registry/proplet",{"app_name":"sha256:ab"}]\n'),
    (
        ModuleChunk(app_name="sha256:ab", chunk_idx=0, total_chunks=4, data="AGFz"),
        '["registry/server",{"app_name":"sha256:ab","chunk_idx":0,"total_chunks":4,"data":"AGFz"}]\n',
    ),
    (
        Hello(by=("m1", 7)),
        '["control/manager/hello",{"by":["m1",7]}]\n',
    ),
    (
        Announcement(
            manager_id="m1", epoch=7, status="here", at=9, answers=5, since=8, where="host, process 1"
        ),
        (
            '["control/manager/announcement",{"manager_id":"m1","epoch":7,"status":"here","at":9,"answers":5,"since":8,'
            '"where":"host, process 1"}]\n'
        ),
    ),
]
#: Their golden lines are in ``test_metric_messages``.
MEASURED = {Metrics, TaskMetrics}


def full_start():
    spec = Spec(
        id="task-001",
        name="main",
        image_url="docker.io/acme/sum:v1",
        module=Module("ab", 3),
        inputs=(10, "20"),
        cli_args=("--invoke", "main"),
        env={"K": "V"},
        kbs_resource_path="default/key/k1",
        monitoring_profile={"enabled": True, "interval": 5},
        hal_storage_path="/var/hal/t1",
    )
    return SendStart(
        proplet_id="P1",
        spec=spec,
        inputs=spec.inputs or (),
        attempt=2,
        placed_at=4,
        parent_results={"task-000": "30\n"},
    )


def bare_start(spec):
    inputs = spec.inputs or ()
    return SendStart(proplet_id="P1", spec=spec, inputs=inputs, attempt=1, placed_at=4, parent_results={})


# -- golden --------------------------------------------------------------------------------------------------


def test_start_with_everything():
    assert to_line(told(full_start())).decode() == START


def test_start_with_nothing_that_may_be_left_out():
    start = bare_start(a_spec("t", env={}, inputs=(), monitoring_profile={}))
    assert to_line(told(start)).decode() == BARE_START


def test_an_empty_storage_path_is_told_from_none():
    spec = a_spec("t", hal_storage_path="")
    start = bare_start(spec)
    assert told(start).hal_storage_path == ""


def test_what_belongs_to_the_manager_alone_is_not_sent():
    start = bare_start(filled_spec())
    sent = json.loads(to_line(told(start)))[1]
    assert not sent.keys() & {"kind", "mode", "metadata", "priority", "run_if", "depends_on", "schedule"}


@pytest.mark.parametrize(("message", "line"), GOLDEN)
def test_golden_lines_in_both_directions(message, line):
    assert to_line(message).decode() == line
    assert from_line(line.encode()[:-1]) == message


def test_golden_lines_are_complete():
    told = {type(message) for message, _ in GOLDEN} | {Start, Join} | MEASURED
    assert told == set(TOPICS.values())


def test_start_is_read_back_as_it_was():
    start = told(full_start())
    assert from_line(to_line(start)[:-1]) == start


@pytest.mark.parametrize(
    ("inputs", "sent"),
    [
        ((10, "20"), ["10", "20"]),
        ((10.0, -3.0, 1e20, 2.5), ["10", "-3", "100000000000000000000", "2.5"]),
        ((2**63 - 1, -(2**63), 0), ["9223372036854775807", "-9223372036854775808", "0"]),
        ((0.0, -0.0), ["0", "-0"]),
        (("", " 1 ", "ü"), ["", " 1 ", "ü"]),
        (None, []),
    ],
)
def test_inputs_go_as_strings(inputs, sent):
    assert wire_inputs(inputs or ()) == sent


# -- what other implementations send -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "fact"),
    [
        ('["control/proplet/alive",{"status":"alive"}]', "proplet_id"),
        ('["control/proplet/create",{}]', "proplet_id"),
        ('["control/proplet/results",{"task_id":5,"proplet_id":"p"}]', "task_id"),
        ('["control/proplet/results",{"task_id":"t","proplet_id":"p","error":5}]', "error"),
    ],
)
def test_a_message_that_lacks_what_it_needs_is_refused_by_the_field(line, fact):
    with pytest.raises(ValueError, match=fact):
        from_line(line.encode())


@pytest.mark.parametrize(
    ("topic", "payload"),
    [
        ("control/proplet/create", b'{"proplet_id":""}'),
        ("control/proplet/create", b'{"proplet_id":"a/#"}'),
        ("control/proplet/alive", b'{"proplet_id":"p","slots":0}'),
        ("control/proplet/alive", b'{"proplet_id":"p","boot":-1}'),
        ("control/proplet/alive", b'{"proplet_id":"p","boot":9223372036854775808}'),
        ("control/proplet/results", b'{"task_id":"t","proplet_id":"p","attempt":-1}'),
        ("control/proplet/results", b"not JSON"),
        ("control/proplet/results", b""),
        ("control/proplet/nothing", b"{}"),
    ],
)
def test_what_would_do_harm_further_in_is_refused(topic, payload):
    with pytest.raises(ValueError):  # noqa: PT011  any words will do
        decode(topic, payload)


def test_the_sender_of_a_result_may_stand_inside_of_it_or_nowhere():
    update = b'{"task_id":"t","results":{"task_id":"t","round_id":"r1","proplet_id":"P1"},"error":null}'
    found = fact_of(decode("control/proplet/results", update), is_local=False)
    assert (found.proplet_id, found.attempt, found.failure) == ("P1", 0, None)
    embedded = fact_of(decode("control/proplet/results", b'{"task_id":"t","results":"30"}'), is_local=False)
    assert (embedded.proplet_id, embedded.results) == ("", "30")


def test_a_failure_in_the_form_of_the_contract_has_no_results():
    message = decode("control/proplet/results", b'{"task_id":"t","proplet_id":"p","results":"","error":"no"}')
    found = fact_of(message, is_local=False)
    assert (found.results, found.failure) == (None, Failure("no", ErrorKind.OTHER))


@pytest.mark.parametrize(("kind", "read"), [("fuel", ErrorKind.FUEL), ("moonlight", ErrorKind.OTHER)])
def test_a_failure_has_the_code_of_its_proplet_and_the_kind_if_it_is_known_here(kind, read):
    message = Results(task_id="t", proplet_id="p", error="no", error_kind=kind, exit_code=3)
    assert fact_of(message, is_local=False).failure == Failure("no", read, 3)


def test_fields_that_are_not_ours_are_ignored():
    line = b'["control/proplet/alive",{"proplet_id":"P1","status":"alive","namespace":"x","mood":{"a":[1]}}]'
    assert from_line(line) == Alive(proplet_id="P1", namespace="x")


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"[]",
        b"{}",
        b"null",
        b'["control/manager/start"]',
        b'["control/manager/start",',
        b'["control/manager/start",{}',
        b'["control/manager/start",{}]',
        b'["control/manager/start",[]]',
        b'["control/manager/start",{"id":"a","name":"b"}]]',
        b'["control/manager/start",{"id":"a","name":"b"},{}]',
        b'["control/manager/invoke",{"id":"a"}]',
        b'["control/manager/stop",{"id":"\xff"}]',
        b'["control/manager/stop",{"id":"\\ud800"}]',
        b"\x00\xff\xfe",
        b'["control/manager/stop",{"id":"a"}] ',
    ],
)
def test_what_can_not_be_read_is_a_value_error(line):
    with pytest.raises(ValueError):  # noqa: PT011  any words will do
        from_line(line)


@given(st.binary(max_size=200))
def test_no_bytes_raise_anything_else(line):
    with contextlib.suppress(ValueError):
        from_line(line)


# -- what it means -------------------------------------------------------------------------------------------


def test_messages_of_proplets_as_facts():
    assert fact_of(from_line(GOLDEN[7][1].encode()[:-1]), is_local=True) == RunEnded(
        proplet_id="P1", task_id="t", attempt=1, placed_at=4, results="30\n", started_at=5, finished_at=7
    )
    assert fact_of(GOLDEN[4][0], is_local=True) == PropletSeen(
        proplet_id="P1",
        boot=7,
        slots=4,
        metadata={"os": "linux", "tags": ["edge"]},
        is_local=True,
        is_hello=True,
    )
    assert fact_of(GOLDEN[5][0], is_local=False) == PropletSeen(
        proplet_id="P1", boot=7, slots=4, running=(("t", 2),)
    )
    assert fact_of(Alive(proplet_id="P1"), is_local=False).running is None
    offline = Alive(proplet_id="P1", boot=7, status="offline")
    assert fact_of(offline, is_local=True) == PropletOffline("P1", 7)
    assert fact_of(GOLDEN[9][0], is_local=True) == RunHandedBack(
        proplet_id="P1", task_id="t", attempt=2, reason="busy"
    )
    assert fact_of(GOLDEN[10][0], is_local=True) == RunHandedBack(
        proplet_id="P1", task_id="t", attempt=2, reason="past", placed_at=4, newest=3
    )
    for message in (
        Stop(id="t"),
        Ack(ended=[("t", 1)]),
        ModuleRequest(app_name="m"),
        Start(id="t", name="m"),
    ):
        assert fact_of(message, is_local=True) is None


# -- through a socket ----------------------------------------------------------------------------------------

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
COUNT = st.integers(0, 2**62)
PROPLET = st.text(
    st.characters(exclude_characters="+#/", min_codepoint=32, exclude_categories=["Cs"]), min_size=1
)
MESSAGES = st.one_of(
    st.builds(
        Start,
        id=st.text(),
        name=st.text(),
        inputs=st.lists(st.text()),
        cli_args=st.none() | st.lists(st.text()).map(tuple),
        env=st.dictionaries(st.text(), st.text()),
        parent_results=st.dictionaries(st.text(), JSON),
        module=st.text(),
        attempt=COUNT,
    ),
    st.builds(Stop, id=st.text(), proplet_id=PROPLET, attempt=COUNT),
    st.builds(Ack, ended=st.lists(st.tuples(st.text(), COUNT))),
    st.builds(Create, proplet_id=PROPLET, metadata=st.dictionaries(st.text(), JSON), boot=COUNT),
    st.builds(Alive, proplet_id=PROPLET, running=st.lists(st.tuples(st.text(), COUNT))),
    st.builds(
        Results,
        task_id=st.text(),
        proplet_id=PROPLET,
        results=JSON,
        error=st.none() | st.text(),
        started_at=COUNT,
    ),
    st.builds(HandBack, task_id=st.text(), proplet_id=PROPLET, attempt=COUNT, reason=st.text()),
    st.builds(ModuleRequest, app_name=st.text()),
    st.builds(ModuleChunk, app_name=st.text(), chunk_idx=COUNT, total_chunks=COUNT, data=st.text()),
)


@given(MESSAGES)
def test_round_trip_of_any_text(message):
    line = to_line(message)
    assert line.endswith(b"]\n")
    assert line.count(b"\n") == 1
    assert from_line(line[:-1]) == message
    topic, body = json.loads(line)
    assert TOPICS[topic] is type(message)
    assert isinstance(body, dict)


@given(st.lists(MESSAGES, max_size=6), st.data())
@settings(max_examples=50)
def test_a_stream_can_be_cut_anywhere(sent, data):
    stream = b"".join(map(to_line, sent))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=12)))
    splitter = LineSplitter()
    received = [
        from_line(line)
        for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)
        for line in splitter.feed(stream[start:end])
    ]
    assert received == sent


def test_a_stream_can_come_byte_by_byte():
    splitter = LineSplitter()
    stream = b"".join(line.encode() for _, line in GOLDEN)
    received = [from_line(line) for byte in stream for line in splitter.feed(bytes([byte]))]
    assert received == [message for message, _ in GOLDEN]


# -- modules -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size_bytes", [1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 2 * CHUNK_BYTES])
def test_a_module_in_chunks_is_whole(size_bytes):
    data = padded(size_bytes)[:size_bytes]
    chunks = list(module_chunks(module_of(data), data))
    assert [chunk.chunk_idx for chunk in chunks] == list(range(len(chunks)))
    assert {chunk.total_chunks for chunk in chunks} == {len(chunks)} == {-(-size_bytes // CHUNK_BYTES)}
    assert {chunk.app_name for chunk in chunks} == {f"sha256:{module_of(data).digest}"}
    assert b"".join(base64.b64decode(chunk.data) for chunk in chunks) == data


def test_every_message_has_one_topic():
    assert set(TOPICS.values()) == set(Message.__args__)
    assert len(TOPICS) == len(Message.__args__)


def test_a_message_that_is_nested_too_deeply_is_refused_like_any_other():
    for topic in TOPICS:
        for payload in (b"[" * 100_000, b'{"more":' + b"[" * 100_000):
            with pytest.raises(ValueError, match=r"nested too deeply|Expected"):
                decode(topic, payload)

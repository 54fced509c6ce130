"""Components made by real tools: every kind of value, in and out."""

import pytest

from propeller.core.sandbox import Dir, Grants
from propeller.runtime.guest_run import GuestRun
from tests.guests.helpers import guest, share_compiled
from tests.runtime.helpers import Here, granted, put

NESTED = """
{id: 18446744073709551615, corners: [{x: 0, y: 0}, {x: -1, y: 1}], shape: some(rectangle((1, 2.5))),
 outcome: ok([red, light-blue]), rights: {write}, tags: [("a", some(0)), ("b", none)]}
""".strip().replace("\n", "")
SAME = [
    ("echo-bool", "true"),
    ("echo-bool", "false"),
    ("echo-s8", "-128"),
    ("echo-s8", "127"),
    ("echo-u8", "255"),
    ("echo-s16", "-32768"),
    ("echo-u16", "65535"),
    ("echo-s32", "-2147483648"),
    ("echo-u32", "4294967295"),
    ("echo-s64", "-9223372036854775808"),
    ("echo-s64", "9223372036854775807"),
    ("echo-u64", "18446744073709551615"),
    ("echo-f32", "0.1"),
    ("echo-f32", "16777216"),
    ("echo-f32", "-inf"),
    ("echo-f64", "0.1"),
    ("echo-f64", "-0"),
    ("echo-f64", "nan"),
    ("echo-char", "'x'"),
    ("echo-char", "'🦀'"),
    ("echo-string", '""'),
    ("echo-string", '"zwölf 🦀 \\"quoted\\"\\n"'),
    ("echo-bytes", "[]"),
    ("echo-bytes", "[0, 127, 255]"),
    ("echo-strings", '["", "a", "ü"]'),
    ("echo-record", "{x: -1, y: 2147483647}"),
    ("echo-tuple", '(-1, "one", true)'),
    ("echo-variant", "empty"),
    ("echo-variant", "circle(1.5)"),
    ("echo-variant", "rectangle((1.5, -2.5))"),
    ("echo-variant", 'named("a")'),
    ("echo-enum", "red"),
    ("echo-enum", "light-blue"),
    ("echo-flags", "{}"),
    ("echo-flags", "{read, run-it}"),
    ("echo-option", "none"),
    ("echo-option", 'some("")'),
    ("echo-option-option", "none"),
    ("echo-option-option", "some(none)"),
    ("echo-option-option", "some(some(0))"),
    ("echo-result", "ok(7)"),
    ("echo-result", 'err("no")'),
    ("echo-result-empty", "ok"),
    ("echo-result-empty", "err"),
    ("echo-result-error", "ok"),
    ("echo-result-error", 'err("")'),
    ("echo-nested", NESTED),
    # A field that is none is left out.
    ("echo-nested", '{id: 0, corners: [], outcome: err("sold out"), rights: {}, tags: []}'),
]


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    return Here(share_compiled(tmp_path_factory.mktemp("components")))


@pytest.mark.parametrize(("function", "value"), SAME)
def test_a_value_comes_back_as_it_went_in(here, function, value):
    ended = here.run(guest("kinds"), function, value)
    assert (ended.results, ended.error) == (f"{value}\n", "")


def test_several_values_and_none(here):
    assert here.run(guest("kinds"), "two", "4294967295", '"ü"').results == '(4294967295, "ü")\n'
    nothing = here.run(guest("kinds"), "nothing")
    assert (nothing.results, nothing.error) == ("", "")


@pytest.mark.parametrize("name", ["total", "acme:shop/prices@1.2.3#total"])
def test_an_interface_of_another_namespace(here, name):
    items = '[{name: "pear", price: 0.5, count: 4}, {name: "plum", price: 0.25, count: 2}]'
    assert here.run(guest("kinds"), name, items).results == "2.5\n"


def test_a_trap_says_what_it_was_and_the_next_call_works(here):
    failed = here.run(guest("kinds"), "fail")
    assert failed.results == ""
    assert "fail failed: unreachable code was reached" in failed.error
    assert "failed as asked" in failed.error
    assert here.run(guest("kinds"), "echo-u8", "1").results == "1\n"


@pytest.mark.parametrize(
    ("function", "value"),
    [
        ("echo-u8", "256"),
        ("echo-s8", "-129"),
        ("echo-enum", "pink"),
        ("echo-variant", "circle"),
        ("echo-flags", "{fly}"),
    ],
)
def test_what_does_not_fit_its_type_is_refused(here, function, value):
    ended = here.run(guest("kinds"), function, value)
    assert ended.results == ""
    assert function in ended.error
    assert value in ended.error


def test_one_that_could_make_links_runs_on_our_wasi_with_a_directory_to_write_to(here, tmp_path):
    """As those in Python do, which import much of WASI that they never call, and some that there is not here."""
    grants = Grants(dirs=(Dir(host=str(tmp_path), guest="/box", mode="rw"),))

    def run(name, *inputs):
        return here.execute(
            granted(GuestRun(1, put(here.directory, guest("kinds")), name, list(inputs), grants=grants))
        )

    assert run("echo-string", '"ü"').results == '"ü"\n'
    assert "failed as asked" in run("fail").error


def test_small_components_in_c(here):
    assert here.run(guest("add_component"), "add", "4294967295", "2").results == "1\n"
    assert here.run(guest("greet_component"), "greet", '"Jörg"').results == '"Hello, Jörg!"\n'
    long = "x" * 1_000_000
    assert here.run(guest("greet_component"), "greet", f'"{long}"').results == f'"Hello, {long}!"\n'


def test_instances_of_a_reactor_know_nothing_of_each_other(here):
    assert [here.run(guest("reactor"), "counter").results for _ in range(2)] == ["1\n", "1\n"]

"""Which hosts a rule lets through."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from propeller.core.sandbox import Grants, Offer, Sandbox, covers, refusal


@pytest.mark.parametrize(
    ("rule", "wanted"),
    [
        ("*", "anything"),
        ("*", "[::1]:8080"),
        ("sub.test", "SUB.test"),
        ("Sub.Test:8080", "sub.test:8080"),
        ("*.sub.test", "a.sub.test"),
        ("*.sub.test", "b.a.sub.test"),
        ("*.sub.test", "*.sub.test"),
        ("*.sub.test", "*.a.sub.test"),
        ("*.sub.test:81", "a.sub.test:81"),
        ("*.test", "a_b.test"),
        ("xn--bcher-kva.test", "xn--bcher-kva.test"),
    ],
)
def test_lets_through(rule, wanted):
    assert covers(rule, wanted)


@pytest.mark.parametrize(
    ("rule", "wanted"),
    [
        ("*.sub.test", wanted)
        for wanted in (
            *(
                "sub.test",
                "test",
                "*",
                "",
                ".",
                ".sub.test",
                "..sub.test",
                "a..sub.test",
                "sub.test.",
                "a.sub.test.",
            ),
            *(
                "evil.test%00.sub.test",
                "evil.test%2f.sub.test",
                "evil.test\x00.sub.test",
                "evil.test/.sub.test",
            ),
            *("evil.test#.sub.test", "evil.test?.sub.test", "evil.test@a.sub.test", "evil.test\\.sub.test"),
            *(
                "evil.test .sub.test",
                "evil.test:80.sub.test",
                "[::1].sub.test",
                "b\xfccher.sub.test",
                "\u212a.sub.test",
            ),
            *(
                "a.b*.sub.test",
                "*a.sub.test",
                "a.*.sub.test",
                "-.sub.test",
                "a.sub.test:81",
                "a.sub.test:",
                "evilsub.test",
            ),
            *("a" * 300 + ".sub.test", "a.sub.test\n"),
        )
    ]
    + [
        ("sub.test", "a.sub.test"),
        ("sub.test", "sub.test:8080"),
        ("sub.test:8080", "sub.test"),
        ("sub.test", "*.sub.test"),
        ("sub.test", "*"),
        ("test", "sub.test"),
        # No rules, though somebody may have written them.
        ("*.", "a.b"),
        ("**", "a.b"),
        ("*", "")[::-1],
        (".test", "sub.test"),
        ("[::1]", "[::1]"),
        ("*.*.test", "a.b.test"),
        ("http://sub.test", "http://sub.test"),
    ],
)
def test_keeps_out(rule, wanted):
    assert not covers(rule, wanted)


@given(st.text(max_size=20))
def test_whatever_is_below_a_rule_ends_with_its_labels(text):
    wanted = f"{text}sub.test"
    if covers("*.sub.test", wanted):
        assert wanted.lower().split(".")[-2:] == ["sub", "test"]
        assert wanted.isascii()
        assert wanted.isprintable()
        assert not set(wanted) & set("%/@?#\\: ")


def test_an_offer_is_compared_by_labels_too():
    offer = Offer(http=("*.sub.test",))
    for wanted in ("evil.test%00.sub.test", ".sub.test"):
        asked = Sandbox(grants=Grants(http=(wanted,)))
        assert refusal(offer, asked) == f"grants.http: {wanted} is not allowed"

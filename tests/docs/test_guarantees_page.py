"""The tests that the page of guarantees names as proofs are there."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PROOF = re.compile(r"`(tests/[\w/]+\.py)(?:::(\w+))?`")


def test_each_proof_is_there():
    proofs = PROOF.findall((ROOT / "docs" / "guarantees.md").read_text())
    assert len(proofs) > 30
    for path, name in proofs:
        assert not name or re.search(rf"^(?:async )?def {name}\(", (ROOT / path).read_text(), re.MULTILINE), (
            f"{path} has no {name}"
        )


def test_each_promise_has_a_proof():
    promises_told, _, _ = (ROOT / "docs" / "guarantees.md").read_text().partition("\n## Figures\n")
    rows = re.findall(r"^\|(.*)\|$", promises_told, re.MULTILINE)
    promises = [row for row in rows if not row.startswith(("---", " promise", " what"))]
    assert len(promises) > 20
    for row in promises:
        assert PROOF.search(row), row

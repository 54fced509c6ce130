"""What proplets say of results, and what the rules get."""

from propeller.wire.fleet.facts import fact_of
from propeller.wire.fleet.from_proplet import Results


def test_results_that_are_base64_are_bytes_to_the_rules():
    said = Results(task_id="a", proplet_id="p", results="iVA=", results_encoding="base64")
    assert fact_of(said, is_local=True).results == b"\x89P"
    wrong = Results(task_id="a", proplet_id="p", results="iVA", results_encoding="base64")
    assert fact_of(wrong, is_local=True).results == "iVA"
    plain = Results(task_id="a", proplet_id="p", results="iVA=")
    assert fact_of(plain, is_local=True).results == "iVA="

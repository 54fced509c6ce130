"""Whose answer to an invocation counts."""

import asyncio

import pytest
from tests.builders import a_spec
from tests.manager.helpers import at_site, until

from propeller.core.model import Proplet, Task
from propeller.core.states import RUNNING
from propeller.manager.invocations import Invocations
from propeller.wire.fleet.from_proplet import InvokeResults


@pytest.mark.parametrize(
    ("is_native", "sender", "is_taken"),
    [
        (True, "p", True),
        (True, "", False),
        (True, "q", False),
        (False, "p", True),
        (False, "", True),
        (False, "q", False),
    ],
)
def test_only_a_foreign_proplet_may_answer_without_its_name(tmp_path, is_native, sender, is_taken):
    async def work(site):
        sent = []
        invocations = Invocations(site.store, sent.extend)
        task = Task(seq=1, spec=a_spec("t", latent=True), created_at=1, updated_at=1, state=RUNNING)
        proplet = Proplet(id="p", name="p", boot=int(is_native), is_alive=True)
        holders = [(proplet, 1)]
        answer = asyncio.create_task(invocations.invoke(task, holders, inputs=[], env={}, timeout_s=60))
        await until(lambda: sent)
        invocation_id = sent[0].invocation_id
        for name, results in ((sender, "first"), ("p", "second")):
            said = InvokeResults(task_id="t", invocation_id=invocation_id, proplet_id=name, results=results)
            invocations.take(said)
        assert (await answer).results == ("first" if is_taken else "second")

    at_site(tmp_path, work)

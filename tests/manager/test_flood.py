"""A fleet that says more than the manager can take in."""

import asyncio

from tests.builders import a_spec
from tests.manager.helpers import MODULE, at_site

from propeller.core.effects import SendStart
from propeller.core.events import PropletSeen
from propeller.errors import Unavailable
from propeller.manager import inbox, mqtt_fleet
from propeller.manager.mqtt_fleet import MqttFleet
from propeller.manager.standing import Standing
from propeller.mqtt.settings import MqttSettings
from propeller.wire.fleet.codec import encode
from propeller.wire.fleet.from_proplet import Alive, Logs
from propeller.wire.fleet.messages import said_topic, topic_of


def a_piece(offset):
    return Logs(task_id="t", proplet_id="p", stream="stdout", offset=offset, text="x", at=1)


def test_results_and_heartbeats_wait_at_the_broker_and_logs_are_dropped(tmp_path, monkeypatch):
    bounds = {"facts_max": 10, "tasks_max": 10, "facts_waiting_max": 40}
    monkeypatch.setattr(inbox.Inbox.__init__, "__kwdefaults__", bounds)

    async def work(site):
        settings = MqttSettings(address="tcp://none:1", entity_id="m", tenant_id="t", channel_id="c")
        fleet = MqttFleet(site.manager, settings, Standing("m", 1, ""))
        holds, logs = [], []
        monkeypatch.setattr(fleet._channel, "hold", lambda *, is_held: holds.append(is_held))
        monkeypatch.setattr(site.manager.logs, "take", logs.append)

        def says(message):
            fleet._received(said_topic("p", topic_of(message)), encode(message))

        says(a_piece(0))
        assert len(logs) == 1
        site.store.gate.clear()  # the disk is slow
        site.manager.tell(PropletSeen(proplet_id="other", boot=1, slots=1))
        await site.held_up()
        for number in range(45):
            says(Alive(proplet_id="p", boot=1 + number))
        await asyncio.sleep(0)
        assert holds == [True]
        says(a_piece(1))
        assert len(logs) == 1
        assert fleet.oddities["control/proplet/logs: dropped, as more comes in than can be done"] == 1
        site.store.gate.set()
        async with asyncio.timeout(60):
            while holds != [True, False]:  # noqa: ASYNC110  nothing says so
                await asyncio.sleep(0)
        assert site.manager.has_room
        assert site.manager.proplet("p") is not None
        says(a_piece(2))
        assert len(logs) == 2

    at_site(tmp_path, work)


def test_a_foreign_proplet_gets_its_start_when_the_database_is_back(tmp_path, monkeypatch):
    monkeypatch.setattr(mqtt_fleet, "_AGAIN_S", 0.001)

    async def work(site):
        settings = MqttSettings(address="tcp://none:1", entity_id="m", tenant_id="t", channel_id="c")
        fleet, failures, sent = MqttFleet(site.manager, settings, Standing("m", 1, "")), [], asyncio.Queue()

        async def away(_digests):
            if len(failures) < 2:
                failures.append(1)
                raise Unavailable("the database can't be used now")
            return {MODULE.digest: b"m"}

        monkeypatch.setattr(site.store, "modules", away)
        monkeypatch.setattr(fleet._channel, "publish", lambda topic, _: sent.put_nowait(topic))
        serving = asyncio.create_task(fleet._serve_foreign())
        spec = a_spec("a", module=MODULE)
        start = SendStart(
            proplet_id="p", spec=spec, attempt=1, placed_at=1, inputs=(), parent_results={}, is_native=False
        )
        fleet._foreign.put_nowait(start)
        async with asyncio.timeout(60):
            assert await sent.get() == "control/manager/start"
        serving.cancel()

    at_site(tmp_path, work)

"""The client of gmqtt, and access to its internals where it has no interface.

All such access is in this file, because it may break with another version of gmqtt.
"""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import gmqtt
from gmqtt.mqtt.constants import MQTTv50

from propeller.mqtt.address import parse_address, tls_for
from propeller.mqtt.settings import MqttSettings
from propeller.mqtt.unacknowledged import Unacknowledged

#: A number that switches the client's own reconnecting off, because it has no back-off.
_NEVER = -2
#: How long a broker keeps the session of a program that is gone, with the messages for it.
_SESSION_S = 86_400
#: The number of packet ids, and one more.
_IDS_MAX = 65_536


def make_client(
    settings: MqttSettings, will: gmqtt.Message | None, unacknowledged: Unacknowledged, logger: Any
) -> Any:
    client = gmqtt.Client(
        settings.entity_id,
        clean_session=False,
        will_message=will,
        persistent_storage=unacknowledged,
        logger=logger,
        session_expiry_interval=_SESSION_S,
    )
    client.set_config({"reconnect_retries": _NEVER, "reconnect_delay": 0})
    client.set_auth_credentials(settings.entity_id, settings.api_key or None)
    return client


async def connect(client: Any, settings: MqttSettings, version: int) -> None:
    """Connect, with the files for TLS as they are now; return when all is acknowledged, maybe never.

    Raises:
        OSError: There is no connection.
        Invalid: A file for TLS can't be used.

    """
    host, port, _ = parse_address(settings.address)
    tls = tls_for(settings) or False
    await client.connect(host, port, ssl=tls, keepalive=settings.keep_alive_s, version=version)


def watch_refusals(client: Any, on_refused: Callable[[int, int], None]) -> None:
    """Call back with packet id and MQTT 5's reason of each message that the broker refuses.

    The client itself drops such a message.
    """
    handler = client._package_handler

    def look(pass_on: Callable[[int, bytes], None], command: int, packet: bytes) -> None:
        if len(packet) > 2 and packet[2] >= 0x80:
            on_refused(int.from_bytes(packet[:2], "big"), packet[2])
        pass_on(command, packet)

    for kind in ("puback", "pubrec"):
        name = f"_handle_{kind}_packet"
        setattr(handler, name, partial(look, getattr(handler, name)))


def free(client: Any, packet_ids: Iterable[int]) -> None:
    """Free the packet ids of messages that were taken from the client."""
    for packet_id in packet_ids:
        client._package_handler.id_generator.free_id(packet_id)


def allow_all_ids(client: Any) -> None:
    """Let the client use all packet ids; it uses only as many as the broker takes messages at once."""
    client._package_handler.id_generator._max = _IDS_MAX


def was_told_to_speak_older(client: Any) -> bool:
    """Say whether the broker has refused MQTT 5."""
    return bool(client._connection_state.protocol_version < MQTTv50)


def is_clean(client: Any) -> bool:
    """Say whether the client asks the broker to keep nothing for it."""
    return bool(client._clean_session)


def ask_for_session(client: Any, *, is_kept: bool) -> None:
    """Ask for a session that outlives the connection or for none, from the next connection on."""
    client._clean_session = not is_kept
    client._connect_properties["session_expiry_interval"] = _SESSION_S if is_kept else 0


def lower_will(client: Any) -> bool:
    """Ask for the lowest quality of service for the will; False if it is that already."""
    will = client._will_message
    if will is None or not will.qos:
        return False
    will.qos = 0
    return True


def let_will_go(client: Any) -> bool:
    """Ask no longer for the will to be kept; False if that was not asked."""
    will = client._will_message
    if will is None or not will.retain:
        return False
    will.retain = False
    return True


def bequeath(client: Any, payload: bytes) -> None:
    """Change the payload of the will, from the next connection on."""
    client._will_message.payload = payload


def hold(client: Any, *, is_held: bool) -> None:
    """Read nothing more from the broker, or go on reading; what was read already still comes."""
    transport = client._connection._transport
    if not transport.is_closing():
        (transport.pause_reading if is_held else transport.resume_reading)()


def last_heard(client: Any) -> float:
    """Give the time at which the broker was last heard of, by the monotonic clock, s."""
    at: float = client._connection._last_data_in
    return at

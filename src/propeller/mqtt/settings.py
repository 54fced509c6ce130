"""Settings of a connection to a broker."""

from pathlib import Path

import msgspec


class TlsSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Files in PEM form. Without a CA certificate, those of the system are used."""

    ca_cert: Path | None = None
    #: The client's own certificate and its key, for mutual TLS; both or neither.
    client_cert: Path | None = None
    client_key: Path | None = None
    insecure_skip_verify: bool = False


class MqttSettings(msgspec.Struct, frozen=True, kw_only=True):
    """One identity on one channel of one broker (``mqtt``, section 1)."""

    #: ``tcp://``, ``mqtt://`` and ``host[:port]`` are plain; ``ssl://``, ``tls://`` and ``mqtts://`` are TLS.
    address: str = "tcp://localhost:1883"
    tenant_id: str
    channel_id: str
    #: Client id and also user name.
    entity_id: str
    #: The password.
    api_key: str = ""
    #: The Ed25519 key that it signs its messages with, as text; ``""`` for none.
    signing_key: str = ""
    #: The quality of service of all messages: 0, 1 or 2.
    qos: int = 2
    #: How long connecting may take.
    timeout_s: float = 30.0
    keep_alive_s: int = 30
    #: Larger messages are neither sent nor received.
    max_packet_bytes: int = 10_485_760
    #: How many sent messages may wait for the broker's acknowledgement, if it takes as many; None
    #: for what the broker says of itself.
    inflight: int | None = None
    tls: TlsSettings = TlsSettings()

    @property
    def base(self) -> str:
        """The prefix of all topics."""
        return f"m/{self.tenant_id}/c/{self.channel_id}"

"""Links to a real broker, and a witness on paho-mqtt beside them."""

import asyncio
import contextlib
import logging
import threading

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from propeller.mqtt.link import Link
from propeller.mqtt.settings import MqttSettings

BASE = "m/t/c/c"
SECONDS_MAX = 60


def settings_for(broker, entity_id="one", **more):
    usual = {"address": f"tcp://{broker.address}", "tenant_id": "t", "channel_id": "c", "timeout_s": 10.0}
    return MqttSettings(entity_id=entity_id, **(usual | more))


class Ear:
    """Keeps what a link is told, and lets a test wait for it."""

    def __init__(self):
        self.heard = []
        self.too_large = []
        self.ups = 0
        self._news = asyncio.Event()

    def take(self, topic, payload):
        self.heard.append((topic, payload.decode()))
        self._news.set()

    def came_up(self):
        self.ups += 1
        self._news.set()

    def take_too_large(self, refused):
        self.too_large.append(refused)
        self._news.set()

    async def wait(self, look):
        while not look():
            self._news.clear()
            await self._news.wait()

    async def has_heard(self, *texts):
        await self.wait(lambda: set(texts) <= {text for _, text in self.heard})


def play(part):
    """Run a coroutine, but not for ever."""

    async def limited():
        async with asyncio.timeout(SECONDS_MAX):
            return await part

    return asyncio.run(limited())


@contextlib.asynccontextmanager
async def linked(settings, *topics, **more):
    """A link that is up, and its ear."""
    ear = Ear()
    link = Link(
        settings,
        topics=topics,
        on_message=ear.take,
        on_up=ear.came_up,
        on_too_large=ear.take_too_large,
        **more,
    )
    await link.start()
    try:
        await link.up()
        yield link, ear
    finally:
        await link.stop()


def most_on_their_way(link):
    """Begin to count; give a function that says how many messages were on their way at once until then."""
    most, handed = 0, link._client.publish

    def publish(*args, **more):
        nonlocal most
        handed(*args, **more)
        most = max(most, link._unacknowledged.count)

    link._client.publish = publish
    return lambda: most


def numbered(link, numbers):
    for number in numbers:
        link.publish("news", str(number).encode())


def texts(numbers):
    return [str(number) for number in numbers]


class Said(logging.Handler):
    """What is logged, for a test to wait for."""

    def __init__(self):
        super().__init__()
        self._lines = asyncio.Queue()

    def emit(self, record):
        self._lines.put_nowait(record.getMessage())

    @property
    def is_silent(self):
        return self._lines.empty()

    async def wait(self, text):
        while text not in (line := await self._lines.get()):
            pass
        return line

    def rest(self):
        """Give what was said and nobody has waited for."""
        return [self._lines.get_nowait() for _ in range(self._lines.qsize())]


@contextlib.contextmanager
def said():
    handler = Said()
    logger = logging.getLogger("propeller.mqtt")
    logger.addHandler(handler)
    try:
        yield handler
    finally:
        logger.removeHandler(handler)


class Gate:
    """Stands between a link and its broker; it can take bytes in and not pass them on, and refuse all."""

    def __init__(self, broker):
        self._broker = broker
        self._is_deaf = self._is_shut = False
        self._writers = []
        self._carrying = set()

    async def __aenter__(self):
        self._server = await asyncio.start_server(self._carry, "127.0.0.1", 0)
        self.address = "127.0.0.1:{1}".format(*self._server.sockets[0].getsockname())
        return self

    async def __aexit__(self, *_):
        self.shut()
        self._server.close()
        await asyncio.gather(*self._carrying)

    def lose(self):
        """From now on, lose what goes to the broker."""
        self._is_deaf = True

    def shut(self):
        """End all connections, and let nobody in."""
        self._is_shut = True
        for writer in self._writers:
            writer.transport.abort()

    def end(self, said):
        """End all connections, with these last bytes of the broker to each program."""
        for writer in self._writers[::2]:
            writer.write(said)
            writer.close()

    def open(self):
        self._is_deaf = self._is_shut = False

    async def _carry(self, reader, writer):
        self._carrying.add(asyncio.current_task())
        self._writers.append(writer)
        if self._is_shut:
            writer.transport.abort()
            return
        far_reader, far_writer = await asyncio.open_connection(self._broker.host, self._broker.port)
        self._writers.append(far_writer)
        await asyncio.gather(self._pump(reader, far_writer, True), self._pump(far_reader, writer, False))

    async def _pump(self, reader, writer, is_outward):
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                if not (is_outward and self._is_deaf):
                    writer.write(data)
        writer.close()


class Sessionless(Gate):
    """Refuses who wants a session that outlives the connection, as FluxMQ does where it is a single node."""

    def __init__(self, broker):
        super().__init__(broker)
        #: The protocol level and the flag "clean" of each who came.
        self.asked = []

    def refuses(self, is_clean):
        return not is_clean

    async def _carry(self, reader, writer):
        head = await reader.readexactly(2)
        size, place = head[1] & 0x7F, 7
        while head[-1] & 0x80:
            head += await reader.readexactly(1)
            size |= (head[-1] & 0x7F) << place
            place += 7
        connect = await reader.readexactly(size)
        level, is_clean = connect[6], bool(connect[7] & 2)
        self.asked.append((level, is_clean))
        if self.refuses(is_clean):
            writer.write(bytes.fromhex("2003008000" if level == 5 else "20020003"))
            writer.close()
            return
        rest = asyncio.StreamReader()
        rest.feed_data(head + connect)
        self._carrying.add(asyncio.create_task(self._feed(reader, rest)))
        await super()._carry(rest, writer)

    async def _feed(self, reader, rest):
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                rest.feed_data(data)
        rest.feed_eof()


class Starting(Sessionless):
    """Refuses the next few, whatever they want."""

    left = 0

    def refuses(self, is_clean):
        self.left -= 1
        return self.left >= 0


class Witness:
    """Hears everything on the channel, from a client that is none of ours; QoS and order included."""

    def __init__(self, broker):
        self.heard = []
        self._news = threading.Condition()
        self._is_there = threading.Event()
        self.client = Client(CallbackAPIVersion.VERSION2, client_id="witness")
        self.client.on_connect = lambda client, *_: client.subscribe(f"{BASE}/#", qos=2)
        self.client.on_subscribe = lambda *_: self._is_there.set()
        self.client.on_message = self._take
        self.client.connect(broker.host, broker.port)

    def __enter__(self):
        self.client.loop_start()
        assert self._is_there.wait(SECONDS_MAX)
        return self

    def __exit__(self, *_):
        self.client.disconnect()
        self.client.loop_stop()

    def _take(self, _client, _data, message):
        with self._news:
            topic = message.topic.removeprefix(f"{BASE}/")
            self.heard.append((topic, message.payload.decode(), message.qos))
            self._news.notify_all()

    def wait(self, look):
        with self._news:
            assert self._news.wait_for(lambda: look(self.heard), timeout=SECONDS_MAX), self.heard[-5:]

    def say(self, topic, text, qos=2):
        self.client.publish(f"{BASE}/{topic}", text, qos=qos).wait_for_publish(SECONDS_MAX)

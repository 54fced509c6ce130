import asyncio

from propeller.mqtt.corked import CorkedTransport


def test_what_is_written_arrives_in_order_and_the_last_words_before_closing_too():
    assert asyncio.run(_sent([b"a", bytearray(b"b")], [b"c", b"good-bye"])) == b"abcgood-bye"


def test_a_transport_that_was_closed_takes_nothing_more():
    async def write_late():
        corked, received = await _connected()
        corked.close()
        assert corked.is_closing()
        corked.write(b"too late")
        return await received

    assert asyncio.run(write_late()) == b""


async def _sent(first, last):
    """Write some, let the loop turn, write more and close; return what comes out at the other end."""
    corked, received = await _connected()
    for data in first:
        corked.write(data)
    await asyncio.sleep(0)
    for data in last:
        corked.write(data)
    corked.close()
    return await received


async def _connected():
    received = asyncio.get_running_loop().create_future()

    async def read_all(reader, writer):
        received.set_result(await reader.read())
        writer.close()

    server = await asyncio.start_server(read_all, "127.0.0.1", 0)
    transport, _ = await asyncio.get_running_loop().create_connection(
        asyncio.Protocol, *server.sockets[0].getsockname()
    )
    received.add_done_callback(lambda _: server.close())
    return CorkedTransport(transport), received

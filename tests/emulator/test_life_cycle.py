"""Starting, stopping, and the arguments of an emulator."""

import asyncio
import uuid

import aiohttp
import pytest

from paywint_async.emulator import Emulator


async def test_it_listens_on_loopback():
    async with Emulator() as emulator:
        assert emulator.url.startswith("http://127.0.0.1:")


async def test_its_keys_are_determined_by_the_seed():
    one, same, other = Emulator(seed=1), Emulator(seed=1), Emulator(seed=2)
    assert (one.api_key, one.api_secret) == (same.api_key, same.api_secret)
    assert one.api_key != other.api_key
    assert one.api_secret != other.api_secret


async def test_its_key_has_the_form_of_a_uuid():
    key = Emulator().api_key
    assert str(uuid.UUID(key)) == key


def test_its_repr_keeps_the_secret():
    emulator = Emulator()
    assert emulator.api_secret not in repr(emulator)


async def test_closing_twice_has_no_effect():
    emulator = Emulator()
    await emulator.start()
    await emulator.aclose()
    await emulator.aclose()
    with pytest.raises(aiohttp.ClientConnectorError):
        await get(emulator)


async def test_closing_before_the_start_has_no_effect():
    await Emulator().aclose()


async def test_starting_twice_is_refused():
    async with Emulator() as emulator:
        with pytest.raises(RuntimeError, match="already running at http"):
            await emulator.start()


async def test_a_restart_keeps_the_address_and_the_payments():
    emulator = Emulator(hostile=True, payments=3)
    async with emulator:
        emulator.arrive("sent")
        url = emulator.url
    async with emulator:
        assert (emulator.url, len(emulator.history("sent"))) == (url, 4)


async def test_there_is_no_address_before_the_start():
    with pytest.raises(RuntimeError, match=r"await start\(\) first"):
        _ = Emulator().url


def test_an_ipv6_address_is_bracketed():
    assert Emulator(host="::1", port=8080).url == "http://[::1]:8080"


async def test_a_taken_port_is_an_os_error_and_leaves_nothing_open():
    async with Emulator() as first:
        second = Emulator(port=int(first.url.rpartition(":")[2]))
        with pytest.raises(OSError, match="address already in use"):
            await second.start()
    async with second:
        assert second.url == first.url


async def test_no_task_outlives_the_emulator():
    before = asyncio.all_tasks()
    async with Emulator() as emulator, aiohttp.ClientSession() as session:
        await get(emulator, session)
        await emulator.aclose()
        assert asyncio.all_tasks() == before


async def test_idle_connections_do_not_delay_the_closing():
    loop = asyncio.get_running_loop()
    async with aiohttp.ClientSession() as session:
        async with Emulator() as emulator:
            await get(emulator, session)
            started = loop.time()
        assert loop.time() - started < 1


async def test_a_request_in_flight_is_aborted_soon():
    loop = asyncio.get_running_loop()
    async with aiohttp.ClientSession() as session:
        async with Emulator(latency=3000.0) as emulator:
            request = asyncio.ensure_future(get(emulator, session))
            while not emulator.in_flight:
                await asyncio.sleep(0)
            started = loop.time()
        assert loop.time() - started < 2
        with pytest.raises(aiohttp.ClientConnectionError):
            await request


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"payments": -1}, "payments must be an integer from 0 to 100000000, not -1"),
        ({"payments": 1.5}, "payments must be an integer"),
        ({"payments": True}, "payments must be an integer"),
        ({"seed": "x"}, "seed must be an integer, not 'x'"),
        ({"latency": -0.1}, "latency must be a number from 0 to 3600, not -0.1"),
        ({"latency": float("nan")}, "latency must be a number"),
        ({"latency": "1"}, "latency must be a number"),
        ({"rate_limit": 0}, "rate_limit must be a number from 0.001"),
        ({"arrivals": -1}, "arrivals must be a number from 0"),
        ({"arrivals": True}, "arrivals must be a number from 0"),
        ({"host": ""}, "host must be a host name or an address"),
        ({"port": 65_536}, "port must be an integer from 0 to 65535"),
        ({"order": "random"}, "order must be 'newest' or 'oldest', not 'random'"),
    ],
)
def test_an_argument_out_of_range_is_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        Emulator(**{"hostile": True} | arguments)


async def get(emulator, session=None):
    """Send a request on a kept-alive connection."""
    if session is None:
        async with aiohttp.ClientSession() as session:
            return await get(emulator, session)
    async with session.get(f"{emulator.url}/nothing") as response:
        return await response.read()

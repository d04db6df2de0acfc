"""Starts a Dask cluster for one call, or connects to an existing one."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Any

from dask.system import CPU_COUNT
from distributed import Client, LocalCluster
from distributed.deploy.cluster import Cluster

from paywint_async._errors import ConfigurationError, TransportError

_THREADS = 2  # per worker: one account is decoded while the other waits for the network


@asynccontextmanager
async def opened(cluster: object, *, most: int) -> AsyncGenerator[Client, None]:
    """A client of the cluster on this event loop; closed at the end.

    Args:
        cluster: as for `export_accounts`.
        most: the largest number of workers of an embedded cluster.

    Raises:
        ConfigurationError: ``cluster`` is not one of those.
        TransportError: the scheduler cannot be reached.
    """
    async with AsyncExitStack() as stack:
        address, security = await _address(cluster, most, stack)
        client: Any = Client(
            address, security=security, asynchronous=True, set_as_default=False, name="paywint"
        )
        stack.push_async_callback(client.close)
        try:
            await client
        except OSError as error:
            raise TransportError(f"cannot reach the scheduler at {address}: {error}") from None
        yield client


async def _address(cluster: Any, most: int, stack: AsyncExitStack) -> tuple[Any, Any]:
    """The address of the scheduler, and the TLS configuration for it."""
    if cluster is None or (isinstance(cluster, int) and not isinstance(cluster, bool)):
        workers = min(CPU_COUNT, most) if cluster is None else cluster
        if workers < 1:
            raise ConfigurationError(f"cluster must have at least one worker, not {workers}")
        embedded = await _embedded(workers, stack)
        return embedded.scheduler_address, embedded.security
    if isinstance(cluster, str):
        return cluster, None
    if isinstance(cluster, Cluster):
        return cluster.scheduler_address, getattr(cluster, "security", None)
    if isinstance(cluster, Client) and cluster.scheduler is not None:
        return cluster.scheduler.address, cluster.security
    raise ConfigurationError(
        "cluster must be a scheduler's address, a dask.distributed Cluster or Client, a number of "
        f"workers or None, not {type(cluster).__name__}"
    )


async def _embedded(workers: int, stack: AsyncExitStack) -> Any:
    # On loopback only, and with a TLS key of its own: whoever can connect to the scheduler can run
    # code here, and every user of the machine can connect to loopback.
    cluster: Any = LocalCluster(
        n_workers=workers,
        threads_per_worker=_THREADS,
        processes=True,
        asynchronous=True,
        host="127.0.0.1",
        protocol="tls://",
        security=True,
        dashboard_address="127.0.0.1:0",
        scheduler_kwargs={"dashboard": False},
        silence_logs=logging.CRITICAL,  # the reports have the errors; closing logs many harmless ones
    )
    stack.push_async_callback(_close, cluster)
    starting = asyncio.ensure_future(_start(cluster))
    try:
        await asyncio.shield(starting)
    except asyncio.CancelledError:
        await asyncio.wait([starting])  # a cluster that is still starting cannot be closed
        raise
    except (RuntimeError, OSError) as error:
        problem = str(error)
    else:
        return cluster
    raise ConfigurationError(
        f"the workers did not start ({problem}); a script that starts some has to call this under "
        "`if __name__ == '__main__':`, since they import it"
    )


async def _start(cluster: Any) -> None:
    await cluster


async def _close(cluster: Any) -> None:
    # A peer that closes first leaves an error in OpenSSL's queue (Python 3.14, OpenSSL 3.6), which the
    # next read takes for its own, whichever connection that is. If that were a read of `close`, the
    # cluster would stay half closed, and closing it again would wait for ever.
    if cluster.scheduler_comm is not None:  # else it has not started
        with suppress(OSError):
            await cluster.scheduler_comm.identity()
    await cluster.close()

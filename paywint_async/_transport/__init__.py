"""HTTP: sends a request to the API, and returns its response. The only part that imports aiohttp.

It uses only aiohttp's documented API, so that recorded cassettes, mocks and instrumentation of
`aiohttp.ClientSession` work with this SDK, too.
"""

from paywint_async._transport.proxies import Proxy, find_proxy, wrap_proxy
from paywint_async._transport.sessions import MakeConnector
from paywint_async._transport.transport import Transport

__all__ = ["MakeConnector", "Proxy", "Transport", "find_proxy", "wrap_proxy"]

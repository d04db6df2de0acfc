"""HTTP: sends a request to the API, and returns its answer. The only part that imports aiohttp.

It uses aiohttp's documented surface alone, so that what people attach to `aiohttp.ClientSession`
(recorded cassettes, mocks, instrumentation) holds for this SDK, too.
"""

from paywint_async._transport.proxies import Proxy, find_proxy, wrap_proxy
from paywint_async._transport.sessions import MakeConnector
from paywint_async._transport.transport import Transport

__all__ = ["MakeConnector", "Proxy", "Transport", "find_proxy", "wrap_proxy"]

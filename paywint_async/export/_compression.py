"""Compression by the ending of a file's name: ``.gz`` and ``.zst``. Knows no records.

Each commit ends a gzip member or zstd frame, so that a file can be truncated after any of them and stays
valid; readers read the members of a file as one stream.
"""

from __future__ import annotations

import gzip
import sys
import zlib
from collections.abc import Callable
from typing import IO, Any, Protocol, cast

import attrs

from paywint_async import ConfigurationError


class Compressor(Protocol):
    """One gzip member or zstd frame."""

    def compress(self, data: bytes, /) -> bytes:
        """Compresses data; returns the compressed bytes that are ready."""
        ...

    def flush(self) -> bytes:
        """Ends the member or frame; returns its last bytes."""
        ...


@attrs.frozen(kw_only=True)
class Compression:
    """A compression of files, for writing and reading; ``ending`` is that of the file's name.

    ``damages`` are the errors of a file that cannot be read, besides EOFError and OSError.
    """

    ending: str
    start: Callable[[], Compressor]
    open: Callable[[str], IO[bytes]]
    damages: Callable[[], tuple[type[Exception], ...]] = tuple


class _Plain:
    def compress(self, data: bytes, /) -> bytes:
        return data

    def flush(self) -> bytes:
        return b""


def _open_plain(path: str) -> IO[bytes]:
    return open(path, "rb")


def _start_gzip() -> Compressor:
    # The format's header has no name or time, so equal payments give equal bytes.
    return zlib.compressobj(wbits=16 + zlib.MAX_WBITS)


def _open_gzip(path: str) -> IO[bytes]:
    return cast(IO[bytes], gzip.open(path, "rb"))


def _zstd() -> Any:
    try:
        if sys.version_info >= (3, 14):
            from compression import zstd
        else:
            from backports import zstd
    except ModuleNotFoundError:
        raise ConfigurationError(
            "files ending in .zst need an extra: pip install 'paywint-async[zstd]'"
        ) from None
    return zstd


def _start_zstd() -> Compressor:
    compressor: Compressor = _zstd().ZstdCompressor()
    return compressor


def _open_zstd(path: str) -> IO[bytes]:
    file: IO[bytes] = _zstd().open(path, "rb")
    return file


_COMPRESSED = (
    Compression(ending=".gz", start=_start_gzip, open=_open_gzip, damages=lambda: (zlib.error,)),
    Compression(
        ending=".zst",
        start=_start_zstd,
        open=_open_zstd,
        damages=lambda: (_zstd().ZstdError,),
    ),
)
COMPRESSED_ENDINGS = tuple(each.ending for each in _COMPRESSED)
PLAIN = Compression(ending="", start=_Plain, open=_open_plain)


def compression_of(output: str) -> Compression:
    """The compression by the ending of a file's name: gzip for ``.gz``, zstd for ``.zst``, else none."""
    asked = (each for each in _COMPRESSED if output.lower().endswith(each.ending))
    return next(asked, PLAIN)

"""Records as Arrow batches. The only module of the library that uses pyarrow.

Needs the extra ``parquet``, which is imported only when a batch is made. Knows no files.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeAlias

import attrs

from paywint_async._errors import ConfigurationError, PrecisionError
from paywint_async._models import HistoryEntry, Payment

if TYPE_CHECKING:
    import pyarrow

RecordBatch: TypeAlias = "pyarrow.RecordBatch"

# 38 digits are the most that Arrow, Parquet and their readers support. Ten of them after the point are
# far more than any currency has, and leave 28 before it.
_PRECISION, _SCALE = 38, 10
_FIELDS = tuple(field.name for field in attrs.fields(Payment))
_REQUIRED = {"direction", "payment_id", "amount", "created_at", "status"}


def payments_to_arrow(payments: Sequence[Payment]) -> RecordBatch:
    """Payments as one batch, in their order, with the API's field names as columns.

    Amounts are ``decimal128(38, 10)`` and exact, times are ``timestamp[us, tz=UTC]``, all other
    columns are strings. An empty sequence makes an empty batch of the same schema.

    Raises:
        PrecisionError: an amount has more than ten digits behind the point, or 28 before it.
        ConfigurationError: the extra ``parquet`` is not installed.
    """
    return _batch({}, payments)


def entries_to_arrow(entries: Sequence[HistoryEntry]) -> RecordBatch:
    """Entries of both directions as one batch, with a first column ``direction``.

    The other columns, and Raises, are those of `payments_to_arrow`.
    """
    directions = [entry.direction for entry in entries]
    return _batch({"direction": directions}, [entry.payment for entry in entries])


def _batch(first: dict[str, Sequence[Any]], payments: Sequence[Payment]) -> RecordBatch:
    pa = _pyarrow()
    columns = {name: [getattr(payment, name) for payment in payments] for name in _FIELDS}
    types = _types(pa)
    arrays = []
    for name, values in (first | columns).items():
        if name.endswith("_id"):
            values = [None if value is None else str(value) for value in values]
        try:
            arrays.append(pa.array(values, types.get(name, pa.string())))
        except pa.ArrowInvalid:
            if name == "amount":
                _refuse_inexact(pa, payments)
            raise
    fields = [
        pa.field(name, array.type, nullable=name not in _REQUIRED)
        for name, array in zip(first | columns, arrays, strict=True)
    ]
    return pa.record_batch(arrays, schema=pa.schema(fields))


def _types(pa: ModuleType) -> dict[str, Any]:
    moment = pa.timestamp("us", tz="UTC")
    amount = pa.decimal128(_PRECISION, _SCALE)
    return {"amount": amount, "created_at": moment, "payment_date": moment}


def _refuse_inexact(pa: ModuleType, payments: Sequence[Payment]) -> None:
    for payment in payments:
        try:
            pa.array([payment.amount], pa.decimal128(_PRECISION, _SCALE))
        except pa.ArrowInvalid:
            raise PrecisionError(
                f"payment {payment.payment_id} has an amount of {payment.amount}, which "
                f"decimal128({_PRECISION}, {_SCALE}) cannot hold exactly: use JSON lines, CSV or SQL"
            ) from None


def _pyarrow() -> ModuleType:
    try:
        import pyarrow
    except ModuleNotFoundError:
        raise ConfigurationError(
            "Arrow and Parquet need an extra: pip install 'paywint-async[parquet]'"
        ) from None
    module: ModuleType = pyarrow
    return module

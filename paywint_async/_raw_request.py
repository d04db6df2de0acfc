"""Makes the request of `PaywintClient.request`, and reads the answers of any endpoint. No I/O."""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from uuid import UUID

from paywint_async import _codec
from paywint_async._arguments import plain_text
from paywint_async._config import path_problem
from paywint_async._errors import InvalidRequestError
from paywint_async._messages import Request, Response
from paywint_async._protocol import Call, api_error

_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
_NO_CONTENT = 204


def raw_request(method: object, path: object, json: object, repeatable: object) -> Call[Any]:
    """Makes a call to any path of the API.

    Raises:
        InvalidRequestError: an argument cannot be sent as it is; ``field`` is its name.
    """
    verb = _check_method(method)
    if problem := path_problem(path):
        raise InvalidRequestError("path", problem)
    if not isinstance(repeatable, bool | None):
        raise InvalidRequestError("repeatable", f"must be True, False or None, not {repeatable!r}")
    may_repeat = verb == "GET" if repeatable is None else repeatable
    value, body = _encode(json)
    request = Request(
        operation="request",
        method=verb,
        path=plain_text(path),  # type: ignore[arg-type]
        body=body,
        repeatable=may_repeat,
    )
    # For `OutcomeUnknownError`: the copy, as the caller may change the original.
    asked = {} if may_repeat else {"method": verb, "path": request.path, "json": value}
    return Call(request=request, asked=asked, read=_read)


def _check_method(method: object) -> str:
    verb = plain_text(method).upper() if isinstance(method, str) else None
    if verb not in _METHODS:
        raise InvalidRequestError("method", f"must be one of {', '.join(_METHODS)}, not {method!r}")
    return verb


def _encode(value: object) -> tuple[Any, bytes | None]:
    """Returns a copy of the value in plain types, and its JSON; None has none."""
    problem = "is nested too deep, or contains itself"
    try:
        copy = _plain(value, "$")
        return copy, None if copy is None else _codec.encode(copy)
    except UnicodeEncodeError:
        problem = "has half a surrogate pair, which is no text"
    except ValueError:
        problem = "has a whole number of thousands of digits"
    except RecursionError:
        pass
    raise InvalidRequestError("json", problem)


def _plain(value: object, place: str) -> Any:
    """Returns a copy in the exact types of JSON, for instances of subclasses, too.

    Refuses values that the encoder would change, such as a float, or bytes written as text.
    """
    match value:
        case None | True | False:
            return value
        case str():
            return plain_text(value)
        case int():
            return int.__index__(value)  # an enum's is its value
        case Decimal() if value.is_finite():
            return Decimal(value)
        case UUID():
            return UUID(int=value.int)
        case dict():
            return _plain_object(value, place)
        case list() | tuple():
            return [_plain(item, f"{place}[{index}]") for index, item in enumerate(value)]
        case float():
            raise _refusal(place, f"a float loses digits: use Decimal('{value}')")
        case Decimal():
            raise _refusal(place, f"must be finite, not {value}")
    raise _refusal(place, f"has a {type(value).__name__}, which is not JSON")


def _plain_object(value: dict[Any, Any], place: str) -> dict[str, Any]:
    plain: dict[str, Any] = {}
    for name, item in value.items():
        if not isinstance(name, str):
            raise _refusal(place, f"has a key that is no string: {name!r}")
        key = plain_text(name)
        if key in plain:  # a subclass of `str` may compare its instances in its own way
            raise _refusal(place, f"has the key {key!r} twice")
        plain[key] = _plain(item, f"{place}.{key}")
    return plain


def _refusal(place: str, problem: str) -> InvalidRequestError:
    return InvalidRequestError("json", f"{problem} @ {place}")


def _read(response: Response) -> Any:
    """Returns the decoded JSON; None for 204.

    Raises:
        APIError: any other status than 2xx, or ``success: false``.
        ResponseDecodeError: the body is not strict JSON.
    """
    if not 200 <= response.status < 300:
        raise api_error(response)
    if response.status == _NO_CONTENT:
        return None
    answer = _codec.decode_any(response.body)
    if isinstance(answer, dict) and answer.get("success") is False:
        raise api_error(response)
    return answer

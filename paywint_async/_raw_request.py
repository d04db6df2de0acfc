"""Makes the request of `PaywintClient.request`, and reads the answers of any endpoint. No I/O."""

from __future__ import annotations

import copy
from decimal import Decimal
from typing import Any
from uuid import UUID

from paywint_async import _codec
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
    request = Request(
        operation="request",
        method=verb,
        path=str(path),
        body=None if json is None else _encode(json),
        repeatable=may_repeat,
    )
    # For `OutcomeUnknownError`; a copy, as the caller may change the original.
    asked = {} if may_repeat else {"method": verb, "path": path, "json": copy.deepcopy(json)}
    return Call(request=request, asked=asked, read=_read)


def _check_method(method: object) -> str:
    verb = method.upper() if isinstance(method, str) else method
    if verb not in _METHODS:
        raise InvalidRequestError("method", f"must be one of {', '.join(_METHODS)}, not {method!r}")
    return str(verb)


def _encode(value: object) -> bytes:
    problem = "is nested too deep, or contains itself"
    try:
        _check_json(value, "$")
        return _codec.encode(value)
    except UnicodeEncodeError:
        problem = "has half a surrogate pair, which is no text"
    except ValueError:
        problem = "has a whole number of thousands of digits"
    except RecursionError:
        pass
    raise InvalidRequestError("json", problem)


def _check_json(value: object, place: str) -> None:
    """Refuses values that the encoder would change, such as a float, or bytes written as text."""
    if isinstance(value, float):
        raise _refusal(place, f"a float loses digits: use Decimal('{value}')")
    if isinstance(value, Decimal) and not value.is_finite():
        raise _refusal(place, f"must be finite, not {value}")
    if isinstance(value, dict):
        for name, item in value.items():
            if not isinstance(name, str):
                raise _refusal(place, f"has a key that is no string: {name!r}")
            _check_json(item, f"{place}.{name}")
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            _check_json(item, f"{place}[{index}]")
    elif not isinstance(value, str | int | Decimal | UUID | None):
        raise _refusal(place, f"has a {type(value).__name__}, which is not JSON")


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

"""Changes what the reference shows: the values of defaults, and no texts for maintainers."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import attrs
from sphinx.util.inspect import signature as read_signature
from sphinx.util.inspect import stringify_signature

from paywint_async import RetryPolicy


def show_defaults(
    _app: object, what: str, _name: str, value: Any, _options: object, *found: str | None
) -> tuple[str | None, ...]:
    """Sphinx's event `autodoc-process-signature`: the defaults of a record as values.

    Sphinx would quote the code that attrs generates, `attr_dict['outcome'].default`, and show a
    factory as `NOTHING`.
    """
    if what != "class" or not attrs.has(value):
        return found
    fields = {field.alias: field for field in attrs.fields(value)}
    signature = read_signature(value)
    parameters = [
        each.replace(default=_default(fields[each.name]))
        for each in signature.parameters.values()
        if each.name in fields
    ]
    replaced = signature.replace(parameters=parameters)
    return stringify_signature(
        replaced, show_return_annotation=False, unqualified_typehints=True
    ), None


def show_constants(_app: object, function: Any, _is_method: bool) -> None:
    """Sphinx's event `autodoc-before-process-signature`: the values of constants that are defaults.

    Sphinx shows a default as it is written in the code. The name of a constant, such as `_CAPACITY`,
    means nothing to a reader; a call or a function's name does.
    """
    attributes = getattr(function, "__dict__", {})  # of a bound method: the function's
    if (signature := attributes.get("__signature__")) is None:
        return
    constants = getattr(function, "__globals__", {})
    parameters = [
        each.replace(default=_value_of(each.default, constants))
        for each in signature.parameters.values()
    ]
    attributes["__signature__"] = signature.replace(parameters=parameters)


def _value_of(default: Any, constants: Mapping[str, Any]) -> Any:
    value = constants.get(repr(default), default)
    is_plain = isinstance(value, int | float | str | tuple | RetryPolicy)
    return value if is_plain else default


def _default(field: attrs.Attribute[Any]) -> Any:
    default: Any = field.default
    if isinstance(default, attrs.Factory):
        return None if default.takes_self else default.factory()
    return inspect.Parameter.empty if default is attrs.NOTHING else default


def drop_reading_order(
    _app: object, what: str, _name: str, _value: object, _options: object, lines: list[str]
) -> None:
    """Sphinx's event `autodoc-process-docstring`: a package's list of modules is for maintainers."""
    if what != "module":
        return
    start = next((n for n, line in enumerate(lines) if line.startswith("Read it")), len(lines))
    del lines[start:]

"""Changes what the reference shows: the real defaults of records, and no texts for maintainers."""

from __future__ import annotations

import inspect
from typing import Any

import attrs
from sphinx.util.inspect import signature as read_signature
from sphinx.util.inspect import stringify_signature


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

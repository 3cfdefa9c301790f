"""What `dataclasses.replace` does, for the values that change at every input: in half the time, and there are many."""

from collections.abc import Callable
from dataclasses import fields
from operator import attrgetter
from typing import Any, TypeVar

Value = TypeVar("Value")

_Reader = Callable[[Any], tuple[Any, ...]]
_Setter = Callable[[Any, Any], None]
_KNOWN: dict[type, tuple[_Reader, dict[str, _Setter]]] = {}
"""How to read all fields of each kind of value at once, and how to set each: what its slot does, freely."""


def changed(value: Value, **changes: object) -> Value:
    """Return *value* with *changes*; it is a frozen dataclass of two slots or more that does nothing when it is made.

    Raises:
        KeyError: it has no such field.
    """
    kind = value.__class__
    read, setters = _KNOWN.get(kind) or _known(kind)
    new = object.__new__(kind)
    for put, held in zip(setters.values(), read(value), strict=True):
        put(new, held)
    for name, held in changes.items():
        setters[name](new, held)
    return new


def _known(kind: type) -> tuple[_Reader, dict[str, _Setter]]:
    names = [field.name for field in fields(kind)]
    _KNOWN[kind] = attrgetter(*names), {name: getattr(kind, name).__set__ for name in names}
    return _KNOWN[kind]

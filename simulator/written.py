"""Numbers, times, sizes, choices and KEY=VALUE,KEY=VALUE as people write them; readers raise ValueError saying what would be right."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeVar

from idleq.ids import Millis
from idleq.scheduler.jobkeys import no_such
from idleq.scheduler.nearest import did_you_mean
from idleq.scheduler.units import parse_duration, parse_size

NO_END = float("inf")
LONGEST_S = 10**10

Choice = TypeVar("Choice", bound=StrEnum)
Value = TypeVar("Value")
Reader = Callable[[object], Any]

Plain = Any
"""What JSON and TOML hold: texts, numbers, booleans, None, and tables of these."""


@dataclass(frozen=True, slots=True)
class Key:
    """One thing that people may give, and the attribute that it sets.

    Attributes:
        name: how it is written.
        field: the attribute.
        read: makes the attribute's value of what was written; raises ValueError saying what would be right.
        show: makes of the value what would be read as the same.
    """

    name: str
    field: str
    read: Reader
    show: Callable[[Any], Plain] = lambda value: value


def number(least: float, most: float = NO_END) -> Callable[[object], float]:
    """Return what reads a number from *least* to *most*."""

    def read(value: object) -> float:
        found = _as_number(value)
        if not least <= found <= most or found == NO_END:
            raise ValueError(
                f"it is at least {least:.16g}"
                + ("" if most == NO_END else f" and at most {most:.16g}")
                + f", not {value}"
            )
        return found

    return read


def whole(least: int, most: int = 10**9) -> Callable[[object], int]:
    """Return what reads a whole number from *least* to *most*."""

    def read(value: object) -> int:
        found = number(least, most)(value)
        if found != int(found):
            raise ValueError(f"it is a whole number, not {value}")
        return int(found)

    return read


def _as_number(value: object) -> float:
    if isinstance(value, int | float | str) and not isinstance(value, bool):
        try:
            return float(value)
        except (ValueError, OverflowError):
            pass
    raise ValueError(f"it is a number, not {value!r}")


def time(value: object) -> Millis:
    """Read seconds, or a text like "5m"."""
    if isinstance(value, str) and value.strip()[-1:].isalpha() and value.strip()[:1].isdigit():
        return parse_duration(value)
    return Millis(round(1000 * number(0, LONGEST_S)(value)))


def some_time(value: object) -> Millis:
    """Read a time that is longer than nothing."""
    found = time(value)
    if found < 1:
        raise ValueError(f"it is longer than 0 seconds, not {value}")
    return found


def seconds(duration: int) -> float:
    """Return *duration* as `time` reads it: whole seconds as whole numbers."""
    return duration // 1000 if duration % 1000 == 0 else duration / 1000


def size(value: object) -> int:
    """Read bytes, or a text like "2G"."""
    if isinstance(value, str) and not value.strip().isdigit():
        return parse_size(value)
    return whole(0, 2**60)(value)


def some_size(value: object) -> int:
    """Read a size that is more than nothing."""
    found = size(value)
    if found < 1:
        raise ValueError(f"it is more than nothing, not {value}")
    return found


def text(value: object) -> str:
    """Read a text that is not empty."""
    if not isinstance(value, str) or not value:
        raise ValueError(f"it is a text, not {value!r}")
    return value


def one_of(choices: type[Choice]) -> Callable[[object], Choice]:
    """Return what reads one of *choices*."""

    def read(value: object) -> Choice:
        if not isinstance(value, str) or value not in set(choices):
            raise ValueError(f"it may be {', '.join(choices)}, not {value!r}{did_you_mean(value, choices)}")
        return choices(value)

    return read


def unless(word: str | None, read: Callable[[object], Value]) -> Callable[[object], Value | None]:
    """Return what reads *word* as None, and all else by *read*."""
    return lambda value: None if value is None or value == word else read(value)


def assigned(given: object) -> Mapping[str, object]:
    """Return what *given*, a table or a text KEY=VALUE,KEY=VALUE, assigns."""
    if isinstance(given, Mapping):
        return given
    found: dict[str, object] = {}
    for part in filter(None, text(given).split(",")):
        key, equals, value = (word.strip() for word in part.partition("="))
        if not equals or not key:
            raise ValueError(f"it is KEY=VALUE,KEY=VALUE,..., and {part!r} is no KEY=VALUE")
        if key in found:
            raise ValueError(f"{key} is given twice")
        found[key] = value
    return found


def read_each(given: Mapping[str, object], readers: Mapping[str, Reader]) -> dict[str, Any]:
    """Return the values of *given*, each read by the reader of its key."""
    values: dict[str, Any] = {}
    for key, value in given.items():
        if key not in readers:
            raise ValueError(no_such("key", key, readers))
        try:
            values[key] = readers[key](value)
        except ValueError as error:
            raise ValueError(f"{key}: {error}") from None
    return values


def joined(parts: Iterable[tuple[str, object]]) -> str:
    """Return *parts* as `assigned` reads them."""
    return ",".join(f"{key}={value}" for key, value in parts)


def unless_none(word: str) -> Callable[[object], object]:
    """Return what shows None as *word*, and all else as it is: as `unless` reads it."""
    return lambda value: word if value is None else value

"""The keys of a settings file: what a person may write for each field of a settings class, and how it is read."""

import typing
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from enum import Enum
from typing import Any, Literal, TypeVar, cast

from idleq.ids import Millis
from idleq.scheduler.nearest import nearest
from idleq.scheduler.units import DURATION_HELP, SIZE_HELP, format_duration, format_size, parse_duration, parse_size

S = TypeVar("S")
N = TypeVar("N", int, float)

TEXTS_HELP = 'a list of texts, like ["/data"]'
NO_END = float("inf")
CENTURY_MS = 100 * 366 * 24 * 3_600_000

LIMITS: Mapping[str, tuple[float, float]] = {
    "port": (0, 65535),
    "max_allocation": (1, CENTURY_MS),
    "lease": (1, CENTURY_MS),
    "takeover": (1000, CENTURY_MS),
    "token_life": (1000, CENTURY_MS),
    "patience": (1, CENTURY_MS),
    "stall_segments": (1, NO_END),
    "max_pending": (1, NO_END),
    "ramp_start": (1, NO_END),
    "max_array": (1, NO_END),
    "bandwidth": (1, NO_END),
    "nodes": (1, 100_000),
    "cores": (1, 4096),
    "memory": (1, 2**60),
    "load": (0, 2),
    "speed": (0.001, 1_000_000),
    "generations": (2, 100),
    "quota": (1, 2**60),
    "tidy": (1000, CENTURY_MS),
}
"""What a number may be, both included (durations in milliseconds, sizes in bytes); see `Key.limits` for the others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One line of config.toml.

    Attributes:
        name: what a person writes.
        field: the attribute that it sets.
        form: what it holds: "duration", "size", int, float, str, list (of texts), an enum, or the words to choose from.
        default: what holds where it is not set.
    """

    name: str
    field: str
    form: str | type | tuple[str, ...]
    default: object

    @property
    def limits(self) -> tuple[float, float]:
        """The least and the most that a number may be."""
        return LIMITS.get(self.name, (0, CENTURY_MS if self.form == "duration" else NO_END))

    @property
    def words(self) -> tuple[str, ...]:
        """The words to choose from; none where it is no choice."""
        if isinstance(self.form, type) and issubclass(self.form, Enum):
            return tuple(member.value for member in self.form)
        return self.form if isinstance(self.form, tuple) else ()

    def show(self, value: object) -> str:
        """Return *value* as a person writes it in TOML."""
        if value is None:
            return "not set"
        if self.form == "duration" and isinstance(value, int):
            return f'"{format_duration(Millis(value))}"'
        if self.form == "size" and isinstance(value, int):
            return f'"{format_size(value)}"'
        if isinstance(value, tuple):
            return f"[{', '.join(map(self.show, value))}]"
        return f'"{value}"' if isinstance(value, str) else str(value)

    def allowed(self) -> str:
        """Return in words what it may be."""
        if self.words:
            return words_of(self.words)
        if self.form is str:
            return "text in quotes"
        if self.form is list:
            return TEXTS_HELP
        least, most = self.limits
        if most == NO_END:
            return f"{self.show(least)} or more"
        return f"{self.show(least)} to {self.show(most)}"


def keys(settings: type) -> dict[str, Key]:
    """Return what may be set of *settings*, by the names that people write."""
    hints = typing.get_type_hints(settings)
    return {key.name: key for key in (_key(field.name, hints[field.name], field.default) for field in fields(settings))}


def _key(field: str, hint: object, default: object) -> Key:
    for suffix, form in (("_ms", "duration"), ("_bytes", "size")):
        if field.endswith(suffix):
            return Key(name=field.removesuffix(suffix), field=field, form=form, default=default)
    return Key(name=field, field=field, form=_form(hint), default=default)


def _form(hint: object) -> type | tuple[str, ...]:
    if typing.get_origin(hint) is Literal:
        return typing.get_args(hint)
    if typing.get_origin(hint) is tuple:
        return list
    return cast("type", next((arm for arm in typing.get_args(hint) if arm is not type(None)), hint))


def read_settings(settings: type[S], data: Mapping[str, Any], section: str) -> S:
    """Return the *settings* that the table *section* of *data* describes.

    Raises:
        ValueError: naming the key and what is allowed.
    """
    table, known = read_table(data, section), keys(settings)
    refuse_unknown(table, known, f"{section}.")
    return settings(**{known[name].field: _value(known[name], value, section) for name, value in table.items()})


def read_table(data: Mapping[str, Any], section: str) -> Mapping[str, Any]:
    """Return that table, an empty one if there is none; raise ValueError if it is something else."""
    table = data.get(section, {})
    if not isinstance(table, Mapping):
        raise ValueError(f"{section} is {table!r}; it is a table, with a line [{section}] above its keys")
    return table


def refuse_unknown(table: Mapping[str, Any], known: Iterable[str], prefix: str) -> None:
    """Raise ValueError if *table* has a key that is not *known*, naming the likely one."""
    for name in table:
        if name not in known:
            near = nearest(name, known)
            hint = f"did you mean {prefix}{near}?" if near else f"there are {', '.join(sorted(known))}"
            raise ValueError(f"there is no key {prefix}{name}; {hint}")


def _value(key: Key, value: object, section: str) -> object:
    try:
        return _read(key, value)
    except ValueError as error:
        raise ValueError(f"{section}.{key.name}: {error}") from None


def _read(key: Key, value: object) -> object:
    match key.form:
        case "duration":
            return _within(key, parse_duration(_of(str, value, DURATION_HELP)))
        case "size":
            return _within(key, parse_size(_of(str, value, SIZE_HELP)))
        case tuple():
            return _one_of(key.words, value)
        case type() as enum if issubclass(enum, Enum):
            return enum(_one_of(key.words, value))
        case _ if key.form is int:
            return _within(key, _of(int, value, "a whole number"))
        case _ if key.form is list:
            return tuple(_of(str, text, "text in quotes") for text in _of(list, value, TEXTS_HELP))
        case _ if key.form is float:
            return _within(key, float(_of((int, float), value, "a number")))
        case _:
            return _of(str, value, "text in quotes")


def _of(wanted: type[S] | tuple[type[S], ...], value: object, words: str) -> S:
    if not isinstance(value, wanted) or isinstance(value, bool):
        raise ValueError(f"{value!r} is not {words}")
    return value


def _one_of(words: tuple[str, ...], value: object) -> str:
    if not isinstance(value, str) or value not in words:
        raise ValueError(f"{value!r} is not {words_of(words)}")
    return value


def _within(key: Key, value: N) -> N:
    least, most = key.limits
    if not least <= value <= most:
        raise ValueError(f"{key.show(value)} is not allowed; it must be {key.allowed()}")
    return value


def words_of(choice: Iterable[str]) -> str:
    """Return the words in quotes with "or" between them."""
    return " or ".join(f'"{word}"' for word in choice)

"""Any dataclass of plain values as JSON and back; the command line needs no more, and `codec` takes long to import."""

import functools
from typing import Any, TypeVar, cast

import msgspec

from idleq.scheduler.errors import BadMessage

T = TypeVar("T")


def to_json(value: object) -> bytes:
    """Return any dataclass of plain values as JSON; raise BadMessage if it holds what is no text."""
    try:
        return msgspec.json.encode(value)
    except UnicodeEncodeError as error:
        raise BadMessage(f"this {type(value).__name__} holds what is no text: {error}") from error


def from_json(payload: bytes | str, cls: type[T]) -> T:
    """Return the *cls* that *payload* describes; raise BadMessage if it describes none."""
    try:
        return cast("T", _decoder(cast("type", cls)).decode(payload))
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _bad(cls, error) from error


def to_plain(value: object) -> Any:  # noqa: ANN401 - dicts, lists, strings, numbers: whatever the value holds
    """Return *value* as the dicts and lists that its JSON stands for, to be part of a larger message."""
    return msgspec.to_builtins(value)


def from_plain(plain: object, cls: type[T]) -> T:
    """Return the *cls* that the dicts and lists of *plain* describe; raise BadMessage if they describe none."""
    try:
        return msgspec.convert(plain, cls)
    except msgspec.ValidationError as error:
        raise _bad(cls, error) from error


def _bad(cls: type, error: Exception) -> BadMessage:
    return BadMessage(f"this is no {cls.__name__}: {error}")


@functools.cache
def _decoder(cls: type) -> "msgspec.json.Decoder[Any]":
    return msgspec.json.Decoder(cls)

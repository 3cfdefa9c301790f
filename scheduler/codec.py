"""Facts, commands and inputs as JSON and back.

What a newer idleq adds to a message is passed over; what a message lacks is refused, and the refusal names it.
Integers are kept exactly; nothing here has a float.
"""

import functools
from types import UnionType
from typing import Any, cast, get_args

from idleq.scheduler.core.commands import Command
from idleq.scheduler.core.facts import Fact
from idleq.scheduler.core.inputs import Input
from idleq.scheduler.errors import BadMessage
from idleq.scheduler.plain import from_json, from_plain, to_json, to_plain

__all__ = [
    "decode",
    "decode_command",
    "decode_fact",
    "decode_input",
    "decode_plain",
    "encode",
    "from_json",
    "from_plain",
    "kinds",
    "to_json",
    "to_plain",
]


def encode(value: object) -> tuple[str, bytes]:
    """Return the kind of *value* (its class's name) and the rest of it as JSON; raise BadMessage if it holds what is no text."""
    return type(value).__name__, to_json(value)


def decode(kind: str, payload: bytes | str, family: UnionType) -> Any:  # noqa: ANN401 - a union as a value has no static type
    """Return the member of *family* (Fact, Command or Input) that `encode` made *kind* and *payload* of.

    Raises:
        BadMessage: *family* has no such kind, or *payload* is not one of it.
    """
    return from_json(payload, _kind(kind, family))


def decode_fact(kind: str, payload: bytes | str) -> Fact:
    """Return the fact; raise BadMessage if it is none."""
    return cast("Fact", decode(kind, payload, Fact))


def decode_command(kind: str, payload: bytes | str) -> Command:
    """Return the command; raise BadMessage if it is none."""
    return cast("Command", decode(kind, payload, Command))


def decode_input(kind: str, payload: bytes | str) -> Input:
    """Return the input; raise BadMessage if it is none."""
    return cast("Input", decode(kind, payload, Input))


def decode_plain(kind: str, plain: object, family: UnionType) -> Any:  # noqa: ANN401 - as for decode
    """Do what `decode` does, from the dicts and lists of a larger message."""
    return from_plain(plain, _kind(kind, family))


def kinds(family: UnionType) -> frozenset[str]:
    """Return the kinds that *family* has."""
    return frozenset(_classes(family))


def _kind(kind: str, family: UnionType) -> type:
    try:
        return _classes(family)[kind]
    except KeyError:
        message = f"{kind!r} is not a kind of message that this idleq knows here; was it written by a newer one?"
        raise BadMessage(message) from None


@functools.cache
def _classes(family: UnionType) -> dict[str, type]:
    return {cls.__name__: cls for cls in get_args(family)}

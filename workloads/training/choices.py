"""A choice among few names: an option of the command line, and the variant that a file of weights says it holds."""

import argparse
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, TypeVar

from idleq.workloads.errors import BadOption

Choice = TypeVar("Choice", bound=StrEnum)


def add_choice(parser: argparse.ArgumentParser, option: str, default: StrEnum, help: str) -> None:  # noqa: A002 - argparse's word
    """Add *option*, which takes the names of the *default*'s kind; any other is a BadOption that names them."""
    kind = type(default)

    def chosen(name: str) -> StrEnum:
        if name not in list(kind):
            raise BadOption(f"{option} must be one of {', '.join(kind)}, not {name}")
        return kind(name)

    parser.add_argument(option, type=chosen, choices=[*kind], default=default, help=help)


def variant_in(header: Mapping[str, Any], kind: type[Choice]) -> Choice:
    """The variant of weights with this *header*.

    Raises:
        KeyError: it says none.
        ValueError: it says one that this program does not know.
    """
    name = header["variant"]
    if name not in list(kind):
        raise ValueError(f"its variant is {name!r}, not one of {', '.join(kind)}")
    return kind(name)

"""Slurm's way to write many nodes in few letters: "n[1-3,07],login"."""

import re
from functools import lru_cache
from typing import cast

from idleq.ids import NodeName
from idleq.scheduler.slurm.errors import SlurmUnreadable

LARGEST = 1_000_000
"""No site has so many nodes: a list that names more is damaged, and would eat all memory."""

_HOST = re.compile(r"(?:[^,\[\]]|\[[^\[\]]*\])+")
_PART = re.compile(r"\[([^\[\]]*)\]|([^\[\]]+)")
_RANGE = re.compile(r"([0-9]{1,18})(?:-([0-9]{1,18}))?", re.ASCII)


@lru_cache(maxsize=16_384)
def expand(text: str) -> tuple[NodeName, ...]:
    """Return the nodes that *text* names, in its order; none for an empty one.

    Raises:
        SlurmUnreadable: it is no such list.
    """
    hosts = _HOST.findall(text)
    if ",".join(hosts) != text:
        raise SlurmUnreadable(f"{text[:200]!r} is no list of nodes")
    return tuple(cast("list[NodeName]", [name for host in hosts for name in _expand_one(host, text)]))


def _expand_one(host: str, text: str) -> list[str]:
    names = [""]
    for inside, outside in _PART.findall(host):
        if outside:
            names = [name + outside for name in names]
            continue
        numbers = _numbers(inside, text)
        if len(names) * len(numbers) > LARGEST:
            raise SlurmUnreadable(f"{text[:200]!r} names more than {LARGEST} nodes")
        names = [name + number for name in names for number in numbers]
    return names


def _numbers(inside: str, text: str) -> list[str]:
    """Return what stands for the numbers *inside* brackets; leading zeros are kept."""
    names: list[str] = []
    for part in inside.split(","):
        found = _RANGE.fullmatch(part)
        if not found:
            raise SlurmUnreadable(f"{text[:200]!r} is no list of nodes: {part!r} is no range")
        first, last = found[1], found[2] or found[1]
        if int(last) - int(first) >= LARGEST:
            raise SlurmUnreadable(f"{text[:200]!r} names more than {LARGEST} nodes")
        width = len(first)
        names += [str(number).zfill(width) for number in range(int(first), int(last) + 1)]
    return names

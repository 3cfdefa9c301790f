"""What of a machine decides whether a snapshot that was made on another one can be thawed on it; pure.

A process that was frozen as it ran has asked its CPU what it can do, its kernel what it offers and its GPU what it is, and goes on as
if all of that were so still. A workload that saved itself starts anew and asks again, so nothing of it matters, unless its results
have to come out bit for bit: then the CPU's class does, since programs choose their arithmetic by it.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

NAMED = 6
"""Missing CPU features that are named; a list of fifty says less."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """One machine; what is not known is empty, and then stands in nobody's way.

    Attributes:
        architecture: of its CPUs ("x86_64").
        kernel: its release.
        cpu: a digest of its CPU's features: equal where programs compute alike.
        flags: these features, in order.
        gpu: the model of its GPUs.
        criu: the version of its criu.
        runtimes: what guests can be frozen in as they run, and thawed.
    """

    architecture: str = ""
    kernel: str = ""
    cpu: str = ""
    flags: tuple[str, ...] = ()
    gpu: str = ""
    criu: str = ""
    runtimes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """What a snapshot needs of the machine that it is thawed on; what does not matter to it is empty.

    Attributes:
        architecture: the same.
        kernel: no older one (by its first two numbers).
        cpu: the same class.
        flags: at least these features.
        gpu: the same model.
        criu: no older one.
        runtime: that one.
        image: the job's image must still be this one.
    """

    architecture: str = ""
    kernel: str = ""
    cpu: str = ""
    flags: tuple[str, ...] = ()
    gpu: str = ""
    criu: str = ""
    runtime: str = ""
    image: str = ""


def told(machine: Machine) -> Machine:
    """Return what is told of *machine*: its CPU's features, which are long, only where something is frozen as it runs, which needs them."""
    return machine if machine.runtimes else replace(machine, flags=())


def obstacles(needs: Needs | None, here: Machine | None, image: str = "") -> tuple[str, ...]:
    """Return why what *needs* that cannot be thawed *here*, where the job's image is *image*; nothing if it can, or nobody knows."""
    if needs is None or here is None:
        return ()
    return tuple(_obstacles(needs, here, image))


@lru_cache(maxsize=4096)
def suits(needs: Needs | None, here: Machine | None) -> bool:
    """Whether nothing is in the way *here*; asked for every line of the queue, of few kinds of needs and machines."""
    return not obstacles(needs, here)


def _obstacles(needs: Needs, here: Machine, image: str) -> Iterator[str]:
    if needs.architecture and here.architecture and needs.architecture != here.architecture:
        yield f"it was made on {needs.architecture}, and this is {here.architecture}"
    missing = sorted(set(needs.flags) - set(here.flags)) if here.flags else []
    if missing:
        more = f" and {len(missing) - NAMED} more" if len(missing) > NAMED else ""
        yield f"the CPU lacks {', '.join(missing[:NAMED])}{more}"
    if needs.cpu and here.cpu and needs.cpu != here.cpu:
        yield f"its results are to come out bit for bit, and the CPU is of class {here.cpu}, not {needs.cpu}"
    if _is_older(here.kernel, needs.kernel):
        yield f"the kernel {here.kernel} is older than {needs.kernel}"
    if needs.gpu and needs.gpu != here.gpu:
        yield f"it needs a GPU {needs.gpu}, and here is {here.gpu or 'none'}"
    if needs.runtime and here.runtimes and needs.runtime not in here.runtimes:
        yield f"it was frozen in {needs.runtime}, and here is {', '.join(here.runtimes)}"
    if _is_older(here.criu, needs.criu):
        yield f"criu {here.criu} is older than {needs.criu}"
    if needs.image and image and needs.image != image:
        yield f"it was made in the image {needs.image}, and the job's is {image} now"


def _is_older(here: str, there: str) -> bool:
    mine, other = _version(here), _version(there)
    return bool(mine and other) and mine < other


def _version(text: str) -> tuple[int, ...]:
    """Return the first two numbers of a version, which are what features come and go with."""
    return tuple(int(number) for number in re.findall(r"[0-9]+", text)[:2])

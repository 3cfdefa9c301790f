"""The options that every training has, and what can be wrong with them."""

import argparse
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Self

from idleq.workloads.errors import BadOption
from idleq.workloads.training.choices import add_choice

MAX_STEPS = 100_000_000
MAX_THREADS = 256


class Device(StrEnum):
    """Where a person wants the arithmetic done."""

    AUTO = "auto"
    CPU = "cpu"
    CUDA = "cuda"


def add_training_options(
    parser: argparse.ArgumentParser,
    *,
    quick: Mapping[str, int],
    full: Mapping[str, int],
    batch: int | None,
    batch_default: str = "",
) -> None:
    """Add them; *quick* and *full* hold steps and events for runs with and without `--quick`.

    Where the batch's default depends on other options it is None, and *batch_default* says what it will be.
    """
    parser.add_argument("--quick", action="store_true", help="a few minutes of one core, the data set included")
    parser.add_argument("--steps", type=int, help=f"training steps (default {full['steps']}, quick {quick['steps']})")
    parser.add_argument(
        "--events",
        type=int,
        help=f"events in the data set (default {full['events']}, quick {quick['events']}; all of --images)",
    )
    parser.add_argument(
        "--batch", type=int, default=batch, help=f"events in a batch (default {batch_default or batch})"
    )
    parser.add_argument("--seed", type=int, default=1, help="seed of weights, noise and order (default 1)")
    add_threads(parser)
    parser.add_argument(
        "--data", metavar="DIR", help="where data sets lie (default IDLEQ_DATA_DIR, else the user's cache)"
    )
    parser.add_argument(
        "--images",
        metavar="PATH",
        nargs="+",
        help="events that simulate-showers or ingest --images wrote, to learn from instead of making a data set: files, or"
        " folders with such files below",
    )
    add_output(parser)


def add_threads(parser: argparse.ArgumentParser) -> None:
    """Add `--threads`."""
    parser.add_argument(
        "--threads", type=int, default=1, help="threads; results repeat bit for bit with one (default 1)"
    )


def add_device(parser: argparse.ArgumentParser) -> None:
    """Add `--device`."""
    add_choice(
        parser, "--device", Device.AUTO, "where to compute; auto takes a GPU where torch finds one (default auto)"
    )


def add_output(parser: argparse.ArgumentParser) -> None:
    """Add `--output`."""
    parser.add_argument("--output", metavar="DIR", help="where the results go; needed in a plain run")


def steps_and_events(
    options: argparse.Namespace, *, quick: Mapping[str, int], full: Mapping[str, int]
) -> dict[str, int]:
    """What was asked for, else what `--quick` or its absence means."""
    chosen = quick if options.quick else full
    return {name: chosen[name] if getattr(options, name) is None else getattr(options, name) for name in chosen}


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """Files of images to learn from; how many they hold is known when they are read."""

    paths: tuple[Path, ...]
    events: int | None  # None = all
    unknown: tuple[str, ...]  # the numbers that were left to be found

    @classmethod
    def of(cls, options: argparse.Namespace) -> Self | None:
        """What was asked for; None = a data set is made."""
        if options.images is None:
            return None
        if options.data is not None:
            raise BadOption("--images says what is learnt from: leave out --data, which says where to make it")
        unknown = [name for name in ("events", "batch", "validated", "judged") if getattr(options, name, 0) is None]
        return cls(paths=tuple(map(Path, options.images)), events=options.events, unknown=tuple(unknown))


def identity_with(identity: Mapping[str, Any], given: Given | None) -> dict[str, Any]:
    """What a checkpoint must agree with before anything is read; which files are given, the state itself holds."""
    if given is None:
        return dict(identity)
    return {**identity, **dict.fromkeys(given.unknown, "as given"), "images": "given"}


@contextmanager
def too_few_explained(given: Given | None) -> Iterator[None]:
    """What does not fit the configuration is the number of events in the *given* files, not that of an option."""
    try:
        yield
    except BadOption as error:
        if given is None:
            raise
        raise BadOption(
            f"--images gives too few events: {error}; give more files, or ask for a smaller --batch"
        ) from error


def check_training(*, steps: int, threads: int, seed: int, batch: int, events: int) -> None:
    """Raise BadOption for what cannot work."""
    between("--steps", steps, 1, MAX_STEPS)
    between("--threads", threads, 1, MAX_THREADS)
    between("--seed", seed, 0, 2**63 - 1)
    between("--batch", batch, 2, 65_536)
    if events < batch:
        raise BadOption(f"--events must be at least one batch ({batch}), not {events}")


class KeepsBack:
    """The settings of a training that keeps some of its events back, to choose the best weights by."""

    __slots__ = ()

    events: int
    batch: int
    validation: float  # the share of the events that is kept back

    @property
    def kept_back(self) -> int:
        """How many events only validate."""
        return math.ceil(self.events * self.validation)

    @property
    def trained_on(self) -> int:
        """How many events are trained on."""
        return self.events - self.kept_back

    def check_kept_back(self) -> None:
        """Raise BadOption where too few are left, or none is kept back."""
        if self.trained_on < self.batch or self.kept_back < 1:
            raise BadOption(
                f"--events must leave a batch ({self.batch}) beside those kept back to validate, not {self.events}"
            )


def between(option: str, value: int, low: int, high: int) -> None:
    """Raise BadOption unless *value* is in the range."""
    if not low <= value <= high:
        raise BadOption(f"{option} must be between {low} and {high}, not {value}")

"""Times at which a part of the machine is not there: failures, drains and reservations, from a file or drawn."""

import csv
import io
import random
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from idleq.simulator.errors import BadOutages, ImpossibleParameters

Mask = int
"""A set of processors: bit n is processor n, counted from 0."""

HOUR = 3600

ENTRY = frozenset(("kind", "from", "until", "processors", "nodes"))
"""What an entry of a file may say."""


class Kind(StrEnum):
    """How it comes, and what it does to jobs."""

    #: Unannounced: jobs on these processors are killed, and start anew from the queue.
    OUTAGE = "outage"
    #: Announced when it begins: running jobs go on to their ends, nothing starts there.
    DRAIN = "drain"
    #: Known from the beginning: no job is started that could still run there.
    RESERVATION = "reservation"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    """One such time; seconds on the trace's clock, *until* is the first second at which all is back."""

    kind: Kind
    begin: int
    until: int
    processors: Mask

    def __contains__(self, number: int) -> bool:
        """Whether processor *number* is away then."""
        return bool(self.processors >> number & 1)

    def numbers(self) -> list[int]:
        """Return which processors are away then."""
        return [number for number in range(self.processors.bit_length()) if number in self]


def read_outages(path: Path, machine: int) -> list[Outage]:
    """Read a file (.toml: tables [[outage]], [[drain]], [[reservation]]; else CSV with a kind column) for *machine* processors.

    Raises:
        BadOutages: it cannot be read, or says something impossible; the message says where.
    """
    try:
        text = path.read_text(encoding="utf-8")
        rows = list(_toml_rows(text) if path.suffix == ".toml" else csv.DictReader(io.StringIO(text)))
    except OSError as error:
        raise BadOutages(f"{path} cannot be read: {error.strerror or error}") from error
    except (ValueError, csv.Error) as error:
        raise BadOutages(f"{path} cannot be read: {error}") from error
    if not rows:
        raise BadOutages(f"{path} has no outage, drain or reservation in it: leave it out")
    found = []
    for number, row in enumerate(rows, start=1):
        try:
            found.append(_outage(row, machine))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise BadOutages(f"{path}, entry {number}: {_wording(error)}") from error
    return sorted(found, key=lambda outage: outage.begin)


def _toml_rows(text: str) -> Iterator[Mapping[str, Any]]:
    for kind, entries in tomllib.loads(text).items():
        if kind not in set(Kind):
            raise ValueError(f"there is no {kind!r}: a file has tables {', '.join(f'[[{one}]]' for one in Kind)}")
        if not isinstance(entries, list):
            raise ValueError(f"{kind} is a list of tables: write [[{kind}]]")
        for entry in entries:
            if not isinstance(entry, Mapping):
                raise ValueError(f"{kind} is a list of tables: write [[{kind}]]")
            yield {"kind": kind, **entry}


def _wording(error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"it lacks {error}"
    return str(error)


def _outage(row: Mapping[str, Any], machine: int) -> Outage:
    unknown = set(row) - ENTRY
    if unknown:
        raise ValueError(
            f"there is no {', '.join(map(str, sorted(unknown, key=str)))} in an entry: it has {', '.join(sorted(ENTRY))}"
        )
    if row["kind"] not in set(Kind):
        raise ValueError(f"its kind may be {', '.join(Kind)}, not {row['kind']!r}")
    begin, until = _second(row, "from"), _second(row, "until")
    if not 0 <= begin < until:
        raise ValueError(f"it goes from {begin} until {until}")
    return Outage(kind=Kind(row["kind"]), begin=begin, until=until, processors=_processors(row, machine))


def _second(row: Mapping[str, Any], key: str) -> int:
    try:
        return int(row[key])
    except (ValueError, TypeError, OverflowError):
        raise ValueError(f"{key} is whole seconds on the log's clock, not {row[key]}") from None


def _processors(row: Mapping[str, Any], machine: int) -> Mask:
    """Return the processors that are named ("0-3,7"), or the last ones of the machine if only a number is given."""
    names, count = row.get("nodes") or "", row.get("processors") or ""
    if bool(names) == bool(count):
        raise ValueError("it needs either processors (how many) or nodes (which)")
    if count:
        if isinstance(count, bool) or not 1 <= int(count) <= machine:
            raise ValueError(f"{count} of {machine} processors")
        return ((1 << int(count)) - 1) << (machine - int(count))
    mask = 0
    for part in str(names).split(","):
        first, _, last = part.strip().partition("-")
        low, high = int(first), int(last or first)
        if not 0 <= low <= high < machine:
            raise ValueError(f"nodes {part.strip()} of a machine that has 0-{machine - 1}")
        mask |= ((1 << (high - low + 1)) - 1) << low
    return mask


def failures(machine: int, begin: int, until: int, mtbf_hours: float, repair_hours: float, seed: int) -> list[Outage]:
    """Draw failures of single processors: each fails after exponential times, and is back after exponential times.

    Raises:
        ImpossibleParameters: one of the mean times is not above 0.
    """
    if mtbf_hours <= 0 or repair_hours <= 0:
        raise ImpossibleParameters("failures need mean times above 0 hours between failures and to repair")
    draw = random.Random(f"{seed}/failures")
    found = []
    # All of them together fail so many times as often; which one it is, is drawn.
    at = float(begin)
    while (at := at + draw.expovariate(machine / (mtbf_hours * HOUR))) < until:
        back = at + max(1.0, draw.expovariate(1 / (repair_hours * HOUR)))
        which = 1 << draw.randrange(machine)
        found.append(Outage(kind=Kind.OUTAGE, begin=int(at), until=int(back) + 1, processors=which))
    return found


def down_at(outages: Iterable[Outage], at: int) -> Mask:
    """Return the processors that are not there at *at*."""
    mask = 0
    for outage in outages:
        if outage.begin <= at < outage.until:
            mask |= outage.processors
    return mask

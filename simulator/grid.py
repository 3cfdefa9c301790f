"""Sweep files: what is run for every combination of values, in which order. Reading one runs nothing."""

import tomllib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, time
from itertools import product
from pathlib import Path
from string import Formatter
from typing import Any

from idleq.scheduler.nearest import did_you_mean
from idleq.simulator.errors import BadSweep

SEED, SEEDS, COMMON, GRID = "seed", "seeds", "common", "grid"

MOST_POINTS = 1_000_000
"""More than that is a slip of the pen."""

Point = Mapping[str, Any]
"""One combination: a value for each key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One run of a sweep.

    Attributes:
        grid: the name of its grid.
        named: all that the file says, in its order; what it names without being a key of a run too.
        point: the keys of the run, texts filled in.
    """

    grid: str
    named: Point
    point: Point


def read_sweep(path: Path, keys: Collection[str], results: Collection[str] = ()) -> list[Place]:
    """Return every run that *path* asks for, in its order; *keys* are those of a run, *results* names that are taken.

    Raises:
        BadSweep: it cannot be read, or says something impossible; the message says where.
    """
    try:
        with path.open("rb") as file:
            written = tomllib.load(file)
        return list(places_of(written, keys, results))
    except OSError as error:
        raise BadSweep(f"{path} cannot be read: {error.strerror or error}") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadSweep(f"{path} cannot be read: {error}") from error
    except BadSweep as error:
        raise BadSweep(f"{path}: {error}") from error


def places_of(written: Mapping[str, Any], keys: Collection[str], results: Collection[str] = ()) -> Iterator[Place]:
    """Yield every run of *written*, grid by grid; of several values the first ones of a grid's keys change most slowly.

    Raises:
        BadSweep: as `read_sweep`.
    """
    for key in written:
        if key not in (SEEDS, COMMON, GRID):
            hint = did_you_mean(key, (SEEDS, COMMON, GRID))
            raise BadSweep(f"there is no {key!r}: a sweep has {SEEDS}, [{COMMON}] and tables [{GRID}.NAME]{hint}")
    common, grids = _table(written.get(COMMON, {}), COMMON), _table(written.get(GRID, {}), GRID)
    if not grids:
        raise BadSweep(f"it has no grid: add a table [{GRID}.NAME]")
    for name, grid in grids.items():
        try:
            merged = {SEEDS: written.get(SEEDS, 1), **common, **_table(grid, name)}
            yield from (
                Place(grid=name, named=named, point=_filled(named, keys)) for named in _combined(merged, keys, results)
            )
        except BadSweep as error:
            raise BadSweep(f"grid {name}: {error}") from error


def _table(value: object, name: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise BadSweep(f"{name} is a table, not {value!r}")
    return value


def _combined(grid: Mapping[str, Any], keys: Collection[str], results: Collection[str]) -> Iterator[dict[str, Any]]:
    """Yield every combination of what lists in *grid* hold."""
    axes: dict[str, Sequence[Any]] = {SEED: _seeds(grid[SEEDS])}
    for key, value in grid.items():
        if key == SEEDS:
            continue
        if key == SEED:
            raise BadSweep(f"{SEED} is given by {SEEDS}: a number of them, or a list")
        axes[key] = value if isinstance(value, list) else [value]
        if _has_a_date(value):
            raise BadSweep(f"{key} has a date or a time of day: numbers, texts and tables are possible")
        if not axes[key]:
            raise BadSweep(f"{key} has no value: an empty list gives nothing to run")
        if len({repr(one) for one in axes[key]}) < len(axes[key]):
            raise BadSweep(f"{key} has a value twice")
    _check_names(axes, keys, results)
    count = 1
    for values in axes.values():
        count *= len(values)
    if count > MOST_POINTS:
        raise BadSweep(f"it asks for {count} runs: {MOST_POINTS} are possible")
    return (dict(zip(axes, values, strict=True)) for values in product(*axes.values()))


def _check_names(axes: Mapping[str, Sequence[Any]], keys: Collection[str], results: Collection[str]) -> None:
    """Refuse a name that is neither a key of a run nor filled into a text."""
    wanted = {field for values in axes.values() for value in values for field in _fields(value)}
    for key in axes:
        if key not in keys and key not in wanted:
            raise BadSweep(
                f"there is no {key!r}: a run has {', '.join(sorted(keys))}; others are names that a text has in braces"
                f"{did_you_mean(key, keys)}"
            )
        if key not in keys and key in results:
            raise BadSweep(f"{key!r} is the name of a result: call it something else")
    for field in sorted(wanted - axes.keys()):
        raise BadSweep(f"a text has {{{field}}}, and there is no {field}")


def _seeds(given: object) -> list[int]:
    if isinstance(given, int) and not isinstance(given, bool) and 1 <= given <= MOST_POINTS:
        return list(range(1, given + 1))
    if isinstance(given, list) and given and all(type(one) is int and one >= 0 for one in given):
        if len(set(given)) < len(given):
            raise BadSweep(f"{SEEDS} has a value twice")
        return given
    raise BadSweep(f"{SEEDS} is how many there are, or a list of whole numbers from 0 on, not {given!r}")


def _fields(value: object) -> set[str]:
    if not isinstance(value, str):
        return set()
    try:
        found = [(field, form or "") for _, field, form, _ in Formatter().parse(value) if field is not None]
    except ValueError as error:
        raise BadSweep(f"{value!r}: {error}") from error
    if any("{" in form for _, form in found):
        raise BadSweep(f"{value!r}: there are no braces within braces")
    return {field for field, _ in found}


def _filled(named: Point, keys: Collection[str]) -> dict[str, Any]:
    return {key: _text_filled(value, named) for key, value in named.items() if key in keys}


def _text_filled(value: object, named: Point) -> object:
    if not isinstance(value, str) or not _fields(value):
        return value
    try:
        return value.format_map(named)
    except (ValueError, TypeError, LookupError, AttributeError) as error:
        raise BadSweep(f"{value!r} cannot be filled in: {error}") from error


def _has_a_date(value: object) -> bool:
    match value:
        case list():
            return any(map(_has_a_date, value))
        case dict():
            return any(map(_has_a_date, value.values()))
        case _:
            return isinstance(value, date | time)

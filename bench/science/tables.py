"""The figures as tables, for the page and for the terminal."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from bench.science.figures import BASELINES, Figure, number
from bench.science.models import PARTS, Size
from bench.science.plan import Step
from bench.science.running import Ran
from idleq.cli.result import Table

MISSED = "not reached"
NOT_RECORDED = "not recorded"
JUDGES = {"cnn": "CNN", "boosted_hillas": "boosted Hillas parameters", "hillas_cut": "Hillas cut"}


def comparison(figures: Mapping[str, Sequence[Figure]]) -> Table:
    """A line for each figure, a column for each model by its label, and what they are to be compared with."""
    by_name: dict[str, dict[str, Figure]] = {}
    for label, several in figures.items():
        for figure in several:
            by_name.setdefault(figure.name, {})[label] = figure
    every = [figure for several in figures.values() for figure in several]
    present = dict.fromkeys(name for figure in every for name in figure.baselines)
    baselines = (*(name for name in BASELINES if name in present), *(name for name in present if name not in BASELINES))
    return Table(
        columns=("figure", *figures, "target", *baselines, "paper"),
        rows=[_compared(name, found, list(figures), baselines) for name, found in by_name.items()],
        right=frozenset((*figures, "target", *baselines)),
        expendable=tuple(reversed(baselines)),
    )


def _compared(
    name: str, found: Mapping[str, Figure], labels: Iterable[str], baselines: Iterable[str]
) -> tuple[str, ...]:
    # The first model is the one whose judging measured the baselines.
    one = next(iter(found.values()))
    known = {key: value for figure in reversed(list(found.values())) for key, value in figure.baselines.items()}
    sign = "<=" if one.better == "less" else ">="
    return (
        name,
        *(_cell(found[label]) if label in found else "" for label in labels),
        "" if one.target is None else f"{sign} {one.target:g}",
        *(number(known[key]) if key in known else "" for key in baselines),
        one.paper,
    )


def _cell(figure: Figure) -> str:
    """In brackets where there was too little for a verdict."""
    value = figure.shown
    if figure.target is None or figure.reached:
        return value
    return f"({value})" if figure.reached is None else f"{value}, {MISSED}"


def classes(by_class: Mapping[str, Mapping[str, Sequence[Figure]]]) -> Table:
    """A line for each size class, a column for each model by its label; what is measured of a class stands in one cell."""
    numbers = dict.fromkeys(of_class for measured in by_class.values() for of_class in measured)
    rows = [
        (
            of_class,
            *(" / ".join(number(one.value) for one in measured.get(of_class, ())) for measured in by_class.values()),
        )
        for of_class in numbers
    ]
    return Table(columns=("size class", *by_class), rows=rows, right=frozenset(by_class))


def without_empty(table: Table) -> Table:
    """*table* without the columns that say nothing in any line."""
    kept = [index for index, _ in enumerate(table.columns) if any(row[index] for row in table.rows)]
    return Table(
        columns=tuple(table.columns[index] for index in kept),
        rows=[tuple(row[index] for index in kept) for row in table.rows],
        right=table.right,
    )


def quality(summary: Mapping[str, Any]) -> Table:
    """The classifier beside the classical cuts."""
    rows = []
    for key, label in JUDGES.items():
        one = summary["quality"][key]
        interval = f"{one['low']:.2f} to {one['high']:.2f}"
        kept = (f"{one['gamma_efficiency']:.3f}", f"{one['hadron_efficiency']:.4f}")
        rows.append((label, f"{one['q']:.2f}", interval, *kept))
    columns = ("judge", "Q", "95 %", "gammas kept", "hadrons kept")
    return Table(columns=columns, rows=rows, right=frozenset(columns[1:]))


def of_at_most(taken: int, planned: int) -> str:
    """How much there was of something; a training may end before its plan does."""
    return str(taken) if taken == planned else f"{taken} of at most {planned}"


def sizes(planned: Size | None, taken: Size | None) -> tuple[str, str]:
    """The steps of a training and what it learned from; *taken* is None where nothing is known but the plan."""
    if planned is None:
        return ("", "")
    steps, examples = taken or planned
    return of_at_most(steps, planned.steps), of_at_most(examples, planned.examples)


def work(steps: Sequence[Step], ran: Mapping[str, Ran], trained: Mapping[str, Size]) -> Table:
    """How every job went, and each part in all; *trained* is what the trainings took."""
    columns = ("part", "job", "steps", "learned from", "segments", "moves", "seconds", "code")
    rows: list[tuple[str, ...]] = []
    for part in PARTS:
        done = [(step, ran[step.name]) for step in steps if step.part == part and step.name in ran]
        for step, one in done:
            size = sizes(step.trained, trained.get(step.name))
            went = (str(one.segments), str(one.moves), f"{one.seconds:.0f}")
            rows.append((part, step.name, *size, *went, one.code or NOT_RECORDED))
        if done:
            rows.append((part, "all of these", "", "", *_sums(one for _, one in done), ""))
    return Table(columns=columns, rows=rows, right=frozenset(columns[2:-1]), expendable=("code",))


def _sums(several: Iterable[Ran]) -> tuple[str, str, str]:
    found = list(several)
    return (
        str(sum(one.segments for one in found)),
        str(sum(one.moves for one in found)),
        f"{sum(one.seconds for one in found):.0f}",
    )


def markdown(table: Table) -> list[str]:
    """The table's lines on a page."""
    heads = ["---:" if title in table.right else "---" for title in table.columns]
    rows = [[f"**{cell}**" if cell.endswith(MISSED) else cell for cell in row] for row in table.rows]
    return [f"| {' | '.join(line)} |" for line in (table.columns, heads, *rows)]

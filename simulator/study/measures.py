"""The numbers that a comparison shows, in their order, and how each reads."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from idleq.simulator.guestload import GuestStream
from idleq.simulator.harm import Interval
from idleq.simulator.scenario import JobFile
from idleq.simulator.strategies import Strategy
from idleq.simulator.study.comparison import NUMBERS_ALONE, Comparison
from idleq.simulator.study.weeks import FEWEST

NOTHING = "-"
ROUNDING = 1e-9
"""What sums of shares may be off by."""
FEW = 1000
"""From here on a number's fraction says nothing any more."""


class Form(StrEnum):
    """What kind of number it is."""

    SHARE = "%"
    POINTS = "% points"
    SECONDS = "s"
    RATIO = ""
    COUNT = "number"


@dataclass(frozen=True, slots=True)
class Measure:
    """A number of `Gain` and what people call it.

    *is_of_guests*: only shown where guests come and go. *is_of_waits*: only where there is a main queue alone. *is_part*: of the
    number above it that is none.
    """

    name: str
    title: str
    form: Form
    meaning: str
    is_of_guests: bool = False
    is_of_waits: bool = False
    is_part: bool = False

    @property
    def unit(self) -> str:
        """What stands behind the number."""
        return str(self.form) if self.form in {Form.SHARE, Form.POINTS, Form.SECONDS} else ""

    def show(self, value: float) -> str:
        """Return *value* without its unit; nothing is shown as less than nothing by a rounding error."""
        value = 0.0 if abs(value) < ROUNDING else value
        match self.form:
            case Form.SHARE | Form.POINTS:
                return f"{100 * value:.2f}"
            case Form.SECONDS:
                return f"{value:,.1f}" if abs(value) < FEW else f"{value:,.0f}"
            case Form.RATIO:
                return f"{value:,.2f}" if abs(value) < FEW else f"{value:,.0f}"
            case Form.COUNT:
                return f"{value:,.0f}"


MEASURES = (
    Measure("main", "main jobs", Form.SHARE, "of the capacity, held by main jobs"),
    Measure("killed", "killed main jobs", Form.SHARE, "held by main jobs that failing nodes ended: they began anew"),
    Measure("effective", "effective utilisation", Form.SHARE, "main jobs and guest work that survived"),
    Measure("gained", "gained", Form.POINTS, "effective, less the utilisation without guests"),
    Measure("idle", "idle", Form.SHARE, "held by nobody"),
    Measure("tail", "tail waste", Form.SHARE, "of the idle: after the last guest had left a gap", is_part=True),
    Measure("away", "away", Form.SHARE, "failed, drained or reserved: nobody can have it"),
    Measure("overhead", "overhead", Form.SHARE, "what guests held cores for besides their work"),
    Measure("start", "starting", Form.SHARE, "until a fresh guest's program was up", is_part=True),
    Measure("thaw", "thawing", Form.SHARE, "bringing snapshots to the nodes", is_part=True),
    Measure("save", "saving", Form.SHARE, "standing still for saves", is_part=True),
    Measure("freeze", "freezing", Form.SHARE, "from the signal until the snapshot was there", is_part=True),
    Measure("lost", "lost", Form.SHARE, "work that has to be done again", is_part=True),
    Measure("unsaved", "not yet saved", Form.SHARE, "work that may survive or not when the measuring ends"),
    Measure("harvest", "harvest", Form.SHARE, "useful guest work, of what the gaps without guests could give"),
    Measure("segments", "segments", Form.COUNT, "stretches of guests on a node"),
    Measure(
        "guests_per_day",
        "guests done a day",
        Form.RATIO,
        "of those that came in while it was measured",
        is_of_guests=True,
    ),
    Measure("turnaround_s", "turnaround", Form.SECONDS, "of guests that were done, in the mean", is_of_guests=True),
    Measure("stretch", "stretch", Form.RATIO, "turnaround over run time, in the mean", is_of_guests=True),
    Measure("wait_s", "mean wait", Form.SECONDS, "of main jobs"),
    Measure("wait_median_s", "median wait", Form.SECONDS, "half of the main jobs waited no longer", is_of_waits=True),
    Measure("wait_p95_s", "95 % wait less than", Form.SECONDS, "of the main jobs", is_of_waits=True),
    Measure("wait_max_s", "longest wait", Form.SECONDS, "of a main job", is_of_waits=True),
    Measure("wait_change_s", "change of the wait", Form.SECONDS, "against the same jobs without guests"),
    Measure("slowdown", "mean bounded slowdown", Form.RATIO, "of main jobs: max(1, (wait + run) / max(tau, run))"),
    Measure("slowdown_change", "change of slowdown", Form.RATIO, "against the same jobs without guests"),
    Measure("found_guests", "found guests", Form.COUNT, "main jobs that started where guests had to leave"),
    Measure("harm_s", "their wait for guests", Form.SECONDS, "in the mean"),
    Measure("harm_max_s", "the longest", Form.SECONDS, "that one of them waited for guests"),
    Measure("harm_bound_s", "its bound", Form.SECONDS, "the most that one of them might have waited"),
    Measure("over_bound", "over their bound", Form.COUNT, "main jobs that waited longer for guests than they might"),
)

GUEST_MEASURES = frozenset(
    {"harvest", "segments", "tail", "gained", "overhead", "start", "thaw", "save", "freeze", "lost", "unsaved"}
)
"""Without guests there is nothing to say of these."""


@dataclass(frozen=True, slots=True)
class Line:
    """One measure of all strategies, as texts in the comparison's order."""

    measure: Measure
    cells: tuple[str, ...]


def lines(comparison: Comparison) -> Iterator[Line]:
    """Yield what a table of *comparison* has, without lines in which nobody has anything."""
    come_and_go = isinstance(comparison.scenario.guests, GuestStream | JobFile)
    for measure in MEASURES:
        if not _is_shown(comparison, measure, come_and_go=come_and_go):
            continue
        cells = tuple(_cell(comparison, strategy, measure) for strategy in comparison.gains)
        if set(cells) != {NOTHING}:
            yield Line(measure, cells)


def _is_shown(comparison: Comparison, measure: Measure, *, come_and_go: bool) -> bool:
    if comparison.alone is not None:
        return measure.name in NUMBERS_ALONE
    return not measure.is_of_waits and (come_and_go or not measure.is_of_guests)


def _cell(comparison: Comparison, strategy: Strategy, measure: Measure) -> str:
    is_blank = (
        measure.name in GUEST_MEASURES or measure.is_of_guests or measure.name.startswith(("harm", "over_", "found_"))
    )
    if strategy is Strategy.NONE and (is_blank or measure.name.endswith(("change", "change_s"))):
        return NOTHING
    found = comparison.interval(strategy, measure.name)
    return NOTHING if found is None else shown(measure, found)


def shown(measure: Measure, found: Interval) -> str:
    """Return for example "96.21 ±0.38"."""
    half = "" if found.half_width is None or measure.form is Form.COUNT else f" ±{measure.show(found.half_width)}"
    return measure.show(found.mean) + half


def basis(comparison: Comparison) -> str:
    """Say what the intervals are of."""
    if comparison.replications > 1:
        shake = comparison.scenario.shake_ms / 1000
        return (
            f"Means over {comparison.replications} replications, in each of which every main job comes in up to {shake:g} s later; "
            "± is the 95 % interval (Student)."
        )
    weeks = max((len(values) for found in comparison.weeks.values() for values in found.values()), default=0)
    if comparison.alone is not None:
        said = (
            f"± is the 95 % interval of its {weeks} weeks (batch means)"
            if weeks
            else f"less than {FEWEST} weeks: no intervals"
        )
        return f"Without warm-up and drain; {said}."
    if weeks:
        return f"One run; ± is the 95 % interval of its {weeks} weeks (batch means)."
    return "One run of few weeks: no intervals. --replications N gives them."

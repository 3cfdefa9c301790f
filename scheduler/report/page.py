"""The report as one HTML file that needs nothing else: no network, no scripts, light and dark, screen and paper."""

from dataclasses import dataclass
from importlib.resources import files

from idleq.scheduler.palette import DARK, LIGHT
from idleq.scheduler.report import wording
from idleq.scheduler.report.charts import AreaChart, Histogram, area_chart, histogram
from idleq.scheduler.report.gantt_chart import GanttChart, gantt_chart
from idleq.scheduler.report.report import Report

MOST_JOBS = 200
MOST_HARM = 50
"""Rows of the page's tables; all of them are in the JSON form."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """A headline number and what it means."""

    title: str
    value: str
    meaning: str
    role: str


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the capacity."""

    role: str
    name: str
    core_s: float
    share: float | None
    meaning: str


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What the template draws besides the report itself."""

    cards: list[Card]
    parts: list[Part]
    overheads: list[Part]
    area: AreaChart
    gantt: GanttChart
    histogram: Histogram
    most_jobs: int
    most_harm: int


def render(report: Report) -> str:
    """Return the whole page."""
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters.update(
        core_time=wording.core_time,
        date_and_time=wording.date_and_time,
        duration=wording.duration,
        percent=wording.percent,
        plain=wording.plain,
    )
    source = files("idleq.scheduler.report").joinpath("page.html.j2").read_text(encoding="utf-8")
    return environment.from_string(source).render(
        report=report, view=_view(report), count=wording.count, light=LIGHT, dark=DARK
    )


def _view(report: Report) -> View:
    return View(
        cards=_cards(report),
        parts=_parts(report),
        overheads=_overheads(report),
        area=area_chart(report.series, report.until_ms),
        gantt=gantt_chart(report.gantt, report.since_ms, report.until_ms),
        histogram=histogram(report.gaps),
        most_jobs=MOST_JOBS,
        most_harm=MOST_HARM,
    )


def _cards(report: Report) -> list[Card]:
    use, harm = report.utilisation, report.harm
    return [
        Card(
            title="Main jobs alone",
            value=wording.percent(use.main_share),
            meaning="of the capacity went to the site's own jobs: this is the utilisation without guests.",
            role="main",
        ),
        Card(
            title="Effective utilisation",
            value=wording.percent(use.effective_share),
            meaning="counting guest work too, but only what survived. Freezing, thawing and lost work are left out.",
            role="useful",
        ),
        Card(
            title="With guests",
            value=wording.percent(use.with_guests_share),
            meaning="of the capacity was held by somebody, useful or not. The distance to the effective number is the cost.",
            role="overhead",
        ),
        Card(
            title="Harvested",
            value=wording.percent(use.harvest_share),
            meaning="of what the gaps could have given, each less one thaw and one freeze, became useful guest work.",
            role="useful",
        ),
        Card(
            title="Harm to main jobs",
            value=wording.duration(harm.waited_ms_max or 0),
            meaning=f"is the longest that a main job waited for guests to leave; {_harm_words(report)}.",
            role="bad" if harm.over_bound or harm.guests_alive else "main",
        ),
    ]


def _harm_words(report: Report) -> str:
    harm = report.harm
    if not harm.main_jobs:
        return "none started where guests had to leave"
    return f"{harm.over_bound:,} of {harm.main_jobs:,} over the bound, {wording.count(harm.guests_alive, 'guest')} still alive"


def _parts(report: Report) -> list[Part]:
    use = report.utilisation
    rows = (
        ("main", "main jobs", use.main_core_s, "held by the site's own jobs"),
        ("useful", "useful guest work", use.useful_core_s, "progress in a snapshot that counts, or in a result"),
        (
            "unsaved",
            "guest work not yet saved",
            use.unsaved_core_s,
            "of segments that still run; it may survive or not",
        ),
        ("overhead", "overhead", use.overhead_core_s, "what guests' cores did besides"),
        ("idle", "idle", use.idle_core_s, "held by nobody"),
    )
    return [Part(role, name, core_s, _share(report, core_s), meaning) for role, name, core_s, meaning in rows]


def _overheads(report: Report) -> list[Part]:
    over = report.utilisation.overhead
    rows = (
        ("starting", over.start_core_s, "from the decision until the process was up"),
        ("thawing", over.thaw_core_s, "copying a snapshot to the node and checking it"),
        ("saving", over.save_core_s, "saves as insurance, while the job goes on"),
        ("freezing", over.freeze_core_s, "from the signal until the snapshot was published"),
        ("repeated", over.repeated_core_s, "work that was lost and has to be done again"),
        ("discarded", over.discarded_core_s, "work of jobs that failed or were cancelled"),
    )
    return [Part("overhead", name, core_s, _share(report, core_s), meaning) for name, core_s, meaning in rows]


def _share(report: Report, core_s: float) -> float | None:
    capacity = report.utilisation.capacity_core_s
    return core_s / capacity if capacity else None

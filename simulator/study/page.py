"""A comparison as one HTML file that needs nothing else: no network, no scripts, light and dark, screen and paper."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files

from idleq.scheduler.palette import DARK, LIGHT
from idleq.scheduler.units import span_in_words
from idleq.simulator.strategies import Strategy
from idleq.simulator.study.comparison import Comparison
from idleq.simulator.study.figures import shown_strategy
from idleq.simulator.study.measures import MEASURES, basis, lines, shown
from idleq.simulator.study.results import Origin, settings_of

CAPTIONS: Mapping[str, str] = {
    "strategies": "Left: where the capacity went. Right: useful guest work, of what the gaps of the run without guests could give.",
    "areas": "Means over equal steps, with the first seed. The line is the capacity.",
    "gaps": "The gaps that main jobs leave when there are no guests. Those left of the dashed line are too short for any.",
    "waits": "Shares of the main jobs that wait no longer, or are slowed down no more. A main job waits for guests no longer than their grace, or "
    "their window; what else changes is a schedule that took another course.",
    "gantt": "The day on which guests did most; at most the first 200 nodes. Guests are hatched; what they stand still for saves is drawn as work.",
}
ALONE: Mapping[str, str] = {
    "areas": "Means over equal steps. The line is the capacity.",
    "gaps": "How long processors lie idle between two main jobs, each of which gets the lowest that are free; cut off where the measured time begins and ends.",
    "waits": "Shares of the main jobs that wait no longer, or are slowed down no more.",
    "weeks": "Each dot is a week, the line the whole measured time, the band its 95 % interval. Weeks of waits are those in which jobs end.",
}
"""Of a main queue alone."""
INTERVALS = " Bars in black are 95 % intervals."


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """A figure on the page."""

    name: str
    title: str
    svg: str
    caption: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """A headline number and what it means."""

    title: str
    value: str
    meaning: str
    role: str


def render(comparison: Comparison, origin: Origin, figures: Sequence[tuple[str, str, str]]) -> str:
    """Return the whole page; *figures* are names, titles and SVG texts."""
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    source = files("idleq.simulator.study").joinpath("page.html.j2").read_text(encoding="utf-8")
    stage = next(iter(comparison.first.values())).stage
    return environment.from_string(source).render(
        alone=comparison.alone,
        tau=comparison.scenario.tau,
        counted=next(iter(comparison.gains.values()))[0].main.jobs,
        origin=origin,
        site=next(iter(comparison.gains.values()))[0].site,
        trace=stage.trace,
        nodes=stage.nodes,
        measured=span_in_words(stage.until - stage.since),
        cards=_cards(comparison),
        strategies=[str(strategy) for strategy in comparison.gains],
        lines=list(lines(comparison)),
        basis=basis(comparison),
        figures=[
            Drawn(name=name, title=title, svg=svg, caption=_caption(comparison, name)) for name, title, svg in figures
        ],
        settings=_settings(comparison),
        light=LIGHT,
        dark=DARK,
    )


def _caption(comparison: Comparison, name: str) -> str:
    if comparison.alone is not None:
        return ALONE[name]
    found = (comparison.interval(strategy, "effective") for strategy in comparison.gains)
    has_intervals = any(one is not None and one.half_width for one in found)
    return CAPTIONS.get(name, "") + (INTERVALS if name == "strategies" and has_intervals else "")


def _settings(comparison: Comparison) -> list[tuple[str, str]]:
    """Return what was given, as it is written."""
    found = []
    for name, value in settings_of(comparison).items():
        if name != "trace" and value not in (None, {}):
            text = ", ".join(f"{key} {one}" for key, one in value.items()) if isinstance(value, Mapping) else str(value)
            found.append((name, text))
    if comparison.alone is not None:
        found.append(("engine", str(comparison.alone.engine)))
    return found


def _cards_alone(comparison: Comparison) -> list[Card]:
    site = next(iter(comparison.gains.values()))[0].site
    tau = comparison.scenario.tau
    median = "-" if site.gap_median_s is None else span_in_words(round(site.gap_median_s * 1000))
    cards = [
        ("main", "main", "of the capacity is used.", "Utilisation"),
        ("wait_s", "overhead", "from submit to start.", "Mean wait"),
        ("slowdown", "overhead", f"with tau {tau} s.", "Mean bounded slowdown"),
        (
            "idle",
            "useful",
            f"of the capacity, in {site.gaps:,} gaps; half of them are no longer than {median}.",
            "Idle",
        ),
    ]
    return [_card(comparison, Strategy.NONE, name, role, meaning, title) for name, role, meaning, title in cards]


def _cards(comparison: Comparison) -> list[Card]:
    if comparison.alone is not None:
        return _cards_alone(comparison)
    strategy = shown_strategy(comparison)
    site = next(iter(comparison.gains.values()))[0].site
    return [
        Card(
            title="Main jobs alone",
            value=f"{100 * site.main_alone:.1f} %",
            meaning="of the capacity is used when there are no guests.",
            role="main",
        ),
        _card(
            comparison,
            strategy,
            "effective",
            "useful",
            f"with guests, strategy {strategy}: what survived counts, and nothing else.",
        ),
        _card(comparison, strategy, "harvest", "useful", "of what the gaps could give became useful guest work."),
        _card(
            comparison,
            strategy,
            "overhead",
            "overhead",
            "of the capacity was spent on starting, saving, moving and losing guests.",
        ),
        _card(
            comparison,
            strategy,
            "harm_max_s",
            "bad",
            "is the longest that a main job waited for guests to leave.",
            "Harm to main jobs",
        ),
    ]


def _card(
    comparison: Comparison, strategy: Strategy, name: str, role: str, meaning: str, title: str | None = None
) -> Card:
    measure = next(one for one in MEASURES if one.name == name)
    found = comparison.interval(strategy, name)
    value = "-" if found is None else f"{measure.show(found.mean)} {measure.unit}".rstrip()
    details = "" if found is None or found.half_width is None else f" ({shown(measure, found)})"
    return Card(title=title or measure.title.capitalize(), value=value, meaning=meaning + details, role=role)

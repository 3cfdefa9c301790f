"""The page that says which figures are reached and which are not."""

from collections.abc import Mapping
from typing import Any

from idleq.workloads.todjudge.figures import CLASSES, FULL_CLASS, TARGETS, reached
from idleq.workloads.todjudge.production import PRODUCTION_GOAL, share_of_length

_HEADS = {
    "spectrum": "power spectrum",
    "amplitude_ks": "heights, KS",
    "time_ks": "times, KS",
    "nearest": "nearest TOD",
    "spread": "spread",
}


def as_page(sets: Mapping[str, Mapping[str, Any]], seconds: Mapping[str, float]) -> str:
    """Markdown, with the pictures that lie beside it."""
    lines = ["# Time-ordered data: generated beside held-out truth", ""]
    lines += [
        f"In watts, for each number of hits; **bold** is not reached, brackets: under {FULL_CLASS} TODs and no verdict.",
        "",
    ]
    lines += [f"- {_HEADS[name]}: {what}, at most {limit:g}" for name, (what, limit) in TARGETS.items()]
    lines += ["", "| Set | Hits | TODs | " + " | ".join(_HEADS.values()) + " | Reached |"]
    lines += ["|---|---|---:|" + "---:|" * len(_HEADS) + "---|"]
    for label, result in sets.items():
        lines += [_row(label, result, name) for name in CLASSES]
    lines += ["", *_notes(sets), *_production(seconds)]
    lines += ["![Power spectra](spectra.png)", "", "![Heights of the excursions](heights.png)", ""]
    return "\n".join([*lines, "![Examples](examples.png)", ""])


def _row(label: str, result: Mapping[str, Any], name: str) -> str:
    figures = result["classes"][name]
    cells = [_cell(figures, figure) for figure in TARGETS]
    verdicts = [reached(figures, figure) for figure in TARGETS]
    verdict = "too few" if None in verdicts else "yes" if all(verdicts) else "not reached"
    return f"| {label} | {name} | {figures['tods']} | " + " | ".join(cells) + f" | {verdict} |"


def _cell(figures: Mapping[str, Any], name: str) -> str:
    value = figures[name]
    if value is None:
        return "none"
    return {True: f"{value:.3f}", False: f"**{value:.3f}**", None: f"({value:.3f})"}[reached(figures, name)]


def _notes(sets: Mapping[str, Mapping[str, Any]]) -> list[str]:
    found = [label for label, result in sets.items() if result["by"] == "found"]
    if not found:
        return []
    text = (
        f"{', '.join(found)}: the generator is not told a number of hits, so its TODs and the truth are both sorted by"
        " the number of excursions that are found over five times the noise."
    )
    return [text, ""]


def _production(seconds: Mapping[str, float]) -> list[str]:
    if not seconds:
        return []
    lines = ["| Generator | ms of one core per TOD | share of its length | goal |", "|---|---:|---:|---|"]
    for label, one in seconds.items():
        share = share_of_length(one)
        verdict = "reached" if share <= PRODUCTION_GOAL else "**not reached**"
        lines.append(f"| {label} | {one * 1e3:.3f} | {share:.1e} | {PRODUCTION_GOAL:.0e}: {verdict} |")
    return [*lines, ""]

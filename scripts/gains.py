"""The rows behind docs/explanation/what-it-gains.md, and the tables made of them; no number here is typed by hand."""

import csv
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from idleq.simulator.harm import Interval, interval

ROOT = Path(__file__).resolve().parents[1]
ROWS = ROOT / "docs/explanation/what-it-gains.csv"
PAPER = "[the seed paper](https://arxiv.org/abs/1909.00394)"

Row = Mapping[str, str]
KEPT = (
    "grid", "seed", "trace", "from", "days", "machine", "demand", "hours", "node_cores", "guest_cores", "shake", "cost", "grace",
    "strategy", "trace_digest", "idleq", "code", "main_alone", "main", "useful", "overhead", "unsaved", "effective", "gained", "harvest",
    "gap_median_s", "segments", "jobs", "wait_change_s", "found_guests", "harm_max_s", "harm_bound_s", "over_bound",
)  # fmt: skip
"""The columns that the page needs."""
TEXTS = ("grid", "trace", "strategy", "trace_digest", "idleq", "code")


def read_rows(path: Path = ROWS) -> list[Row]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def thinned(rows: Sequence[Row]) -> Iterator[dict[str, str]]:
    """Yield *rows* with the columns that the page needs, and no more digits than it shows."""
    for row in rows:
        yield {name: row.get(name, "") if name in TEXTS else _short(row.get(name, "")) for name in KEPT}


def _short(text: str) -> str:
    try:
        number = float(text)
    except ValueError:
        return text
    return text if number == int(number) else f"{number:.6g}"


def of(rows: Sequence[Row], grid: str, **wanted: str) -> list[Row]:
    """Return the rows of all grids that are called so, or so and more: load, load-large."""
    return [
        row
        for row in rows
        if row["grid"].partition("-")[0] == grid and all(row[key] == value for key, value in wanted.items())
    ]


def values(rows: Sequence[Row], key: str) -> list[str]:
    """Return the different values of *key*, in their order."""
    return list(dict.fromkeys(row[key] for row in rows))


def numbers(rows: Sequence[Row], key: str) -> list[float]:
    return [float(row[key]) for row in rows if row[key]]


def mean(rows: Sequence[Row], key: str) -> Interval:
    return interval(numbers(rows, key))


def shown(rows: Sequence[Row], key: str, *, sign: bool = False) -> str:
    """Return the mean of a share in percent, with what it may be off by; a dash where there was nothing to have a share of."""
    return percent(mean(rows, key), sign=sign) if numbers(rows, key) else "-"


def percent(found: Interval, *, sign: bool = False) -> str:
    """Return a share in percent, with what it may be off by."""
    width = "" if found.half_width is None else f" ± {100 * found.half_width:.1f}"
    return f"{100 * found.mean:{'+' if sign else ''}.1f}{width}"


def table(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    rule = ["---" for _ in head]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, rule, *lines))


def rises(rows: Sequence[Row]) -> tuple[int, int]:
    """Return in how many of how many combinations the effective utilisation is higher with guests, in the mean over seeds."""
    keys = ("grid", "trace_of", "machine", "demand", "hours", "guest_cores", "cost", "grace")
    combinations: dict[tuple[str, ...], list[Row]] = {}
    for row in rows:
        recipe = row["trace"].partition(",seed=")[0]
        combinations.setdefault(tuple(recipe if key == "trace_of" else row[key] for key in keys), []).append(row)
    means = [mean(found, "gained").mean for found in combinations.values()]
    return sum(one > 0 for one in means), len(means)


# The sections of the page.


def what_was_run(rows: Sequence[Row]) -> str:
    windows = of(rows, "harvest")
    traces = ", ".join(values(windows, "trace"))
    segments = sum(int(float(row["segments"])) for row in rows)
    files = "".join(
        f"\n- {trace}: {row['days']} day{'s' if row['days'] != '1' else ''} from each of day {', '.join(values(of(windows, 'harvest', trace=trace), 'from'))} on; "
        f"SHA-256 {row['trace_digest'][:16]}..."
        for trace in values(windows, "trace")
        for row in of(rows, "harvest", trace=trace)[:1]
    )
    return (
        f"{len(rows)} runs by idleq {', '.join(values(rows, 'idleq'))} ({made_by(rows)}), with {segments:,} segments of guests that are always enough and longer "
        f"than any gap. Logs: {traces}, in windows as listed. "
        f"All numbers are in [what-it-gains.csv](what-it-gains.csv).\n{files}"
    )


def made_by(rows: Sequence[Row]) -> str:
    """Say which code has made *rows*: that of one version changes too."""
    digests = [row.get("code") or "not noted" for row in rows]
    return f"code {', '.join(dict.fromkeys(digests))}"


def claims(rows: Sequence[Row]) -> str:
    alone = 1 - mean(of(rows, "harvest"), "main_alone").mean
    most = max(1 - one for one in numbers(of(rows, "harvest"), "main_alone"))
    up, all_of_them = rises(of(rows, "load"))
    up_grace, all_grace = rises(of(rows, "grace"))
    best = max(numbers(of(rows, "load"), "gained"))
    return table(
        ("there", "here"),
        [
            (
                "Schedulers leave about 10 % idle on the average, sometimes up to 30 %",
                f"{100 * alone:.1f} % in the mean over the windows of the logs, up to {100 * most:.1f} %",
            ),
            (
                "Effective utilisation rises under most conditions",
                (
                    f"in {up} of {all_of_them} combinations of load, machine and cost without a grace, and in {up_grace} of {all_grace} "
                    f"with one; in a single run by up to {100 * best:.1f} points"
                ),
            ),
        ],
    )


def over_load(rows: Sequence[Row]) -> str:
    found = of(rows, "load")
    lines = []
    for machine in values(found, "machine"):
        for cost in values(found, "cost"):
            one = of(found, "load", machine=machine, cost=cost)
            groups = [of(one, "load", demand=demand) for demand in values(found, "demand")]
            lines.append((machine, cost, *(shown(group, "gained", sign=True) if group else "" for group in groups)))
    alone = [shown(of(found, "load", demand=demand), "main_alone") for demand in values(found, "demand")]
    return table(("nodes", "cost, s", *values(found, "demand")), [*lines, ("all", "no guests: utilisation", *alone)])


def losing(rows: Sequence[Row]) -> str:
    """Return where guests burn more than they give, or where main jobs lose more than guests gain."""
    lines = []
    for grid in ("load", "grace", "gaps", "size"):
        found = of(rows, grid)
        keys = ("machine", "demand", "hours", "guest_cores", "cost", "grace")
        groups: dict[tuple[str, ...], list[Row]] = {}
        for row in found:
            groups.setdefault(tuple(row[key] for key in keys), []).append(row)
        for group, members in groups.items():
            gained, useful, overhead = (mean(members, key) for key in ("gained", "useful", "overhead"))
            if gained.mean <= 0 or overhead.mean > useful.mean:
                lines.append((grid, *group, percent(gained, sign=True), percent(useful), percent(overhead)))
    head = (
        "grid",
        "nodes",
        "load",
        "mean run, h",
        "guest's cores",
        "cost, s",
        "grace, s",
        "gain",
        "useful",
        "overhead",
    )
    return table(head, lines) if lines else "Nowhere in these runs."


def harvest(rows: Sequence[Row]) -> Iterator[str]:
    found = of(rows, "harvest")
    strategies = values(found, "strategy")
    for trace in values(found, "trace"):
        lines = []
        here = of(found, "harvest", trace=trace)
        for cost in values(here, "cost"):
            for grace in values(here, "grace"):
                cells = [
                    shown(of(here, "harvest", trace=trace, cost=cost, grace=grace, strategy=one), "harvest")
                    for one in strategies
                ]
                oracle = of(rows, "oracle", trace=trace, cost=cost) if grace == "0" else []
                ahead = interval(ahead_by(of(here, "harvest", cost=cost, grace=grace)))
                lines.append(
                    (cost, grace, *cells, shown(oracle, "harvest") if oracle else "", percent(ahead, sign=True))
                )
        yield f"### {trace}\n\n" + table(("cost, s", "grace, s", *strategies, "oracle", AHEAD), lines)


AHEAD = "idleq over the better of the others, points"


def ahead_by(rows: Sequence[Row]) -> list[float]:
    """Return, window by window, what idleq's own strategy harvests more than the better of the others."""
    windows = [[row for row in rows if row["from"] == begin] for begin in values(rows, "from")]
    harvests = [{row["strategy"]: float(row["harvest"]) for row in window} for window in windows]
    return [found.pop("idleq") - max(found.values()) for found in harvests]


def by(rows: Sequence[Row], grid: str, key: str, title: str, about: Callable[[Sequence[Row]], str]) -> str:
    found = of(rows, grid)
    costs = values(found, "cost")
    lines = [
        (
            value,
            about(of(found, grid, **{key: value})),
            *(shown(of(found, grid, **{key: value, "cost": cost}), "gained", sign=True) for cost in costs),
            *(shown(of(found, grid, **{key: value, "cost": cost}), "harvest") for cost in costs),
        )
        for value in values(found, key)
    ]
    head = (title, "half of the gaps are shorter than", *(f"gain, cost {cost} s" for cost in costs))
    return table((*head, *(f"harvest, cost {cost} s" for cost in costs)), lines)


def half_of_the_gaps(rows: Sequence[Row]) -> str:
    return f"{mean(rows, 'gap_median_s').mean / 60:.1f} min"


def harm(rows: Sequence[Row]) -> str:
    found = of(rows, "harm")
    lines = []
    for grace in values(found, "grace"):
        one = of(found, "harm", grace=grace)
        change = mean(one, "wait_change_s")
        width = f" ± {change.half_width:.1f}" if change.half_width is not None else ""
        lines.append(
            (
                grace,
                str(change.count),
                f"{mean(one, 'found_guests').mean:.0f}",
                f"{max(numbers(one, 'harm_max_s')):g}",
                f"{max(numbers(one, 'harm_bound_s')):g}",
                f"{sum(numbers(one, 'over_bound')):g}",
                f"{change.mean:+.1f}{width}",
                "yes" if change.mean == 0 or change.holds_zero else "no",
            )
        )
    return table(
        (
            "grace, s",
            "replications",
            "main jobs that found guests, each",
            "longest wait for guests, s",
            "bound, s",
            "waits over the bound",
            "change of the mean wait, s",
            "may be chance",
        ),
        lines,
    )


SECTIONS: Mapping[str, str] = {
    "gain-over-load": "what guests gain over the load, for two costs and several machines",
    "harvest-by-cost": "the harvest of each strategy over the cost, for three graces",
    "gaps-and-size": "what guests gain over the length of gaps and over their own size",
}
"""The figures, and what they show."""


def figure(name: str) -> str:
    return f"![{SECTIONS[name]}](../images/{name}.png)"


def page(rows: Sequence[Row]) -> str:
    parts = [
        "## What was run",
        what_was_run(rows),
        "## The seed paper's claims",
        f"{PAPER} says of its simulations, and its authors' later abstracts of supercomputers in general:",
        claims(rows),
        "## Over load",
        "By how many points the effective utilisation is higher with guests (idleq's own strategy, no grace), with 95 % intervals over seeds:",
        over_load(rows),
        figure("gain-over-load"),
        "## Where it loses",
        "Combinations in which the effective utilisation does not rise, or overhead is more than useful work (percent of the capacity):",
        losing(rows),
        "## The harvest",
        "Percent of what could be harvested, with 95 % intervals over the windows of a log:",
        *harvest(rows),
        figure("harvest-by-cost"),
        "## Gap length",
        "Main jobs whose mean run is longer leave longer gaps, at the same load:",
        by(rows, "gaps", "hours", "mean run, h", half_of_the_gaps),
        "## Guest size",
        "Nodes have 8 cores, which main jobs share; guests need some of them on one node:",
        by(rows, "size", "guest_cores", "guest's cores", half_of_the_gaps),
        figure("gaps-and-size"),
        "## Harm",
        "Shaken replications of one window, each with and without guests; the bound is the grace:",
        harm(rows),
    ]
    return "\n\n".join(parts)

"""The figures, drawn from their tables: one colour for each role, steps for levels, labels beside what they name."""

import io
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from idleq.scheduler.palette import LIGHT
from idleq.simulator.errors import PlotsMissing
from idleq.simulator.strategies import Strategy
from idleq.simulator.study.figures import LAYERS, Cell, FigureTable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = {**LIGHT, "start": LIGHT["overhead"], "thaw": LIGHT["overhead"], "save": LIGHT["overhead"]}
COLOURS |= {"freeze": LIGHT["overhead"], "lost": LIGHT["bad"], "killed": LIGHT["bad"], "away": "#cc79a7"}
INK, SOFT = "#1b2027", "#5a6472"

STRATEGY_COLOURS = {
    "none": "#8b929c", "kill": "#b3261e", "planned-end": "#e69f00", "young": "#cc79a7", "idleq": "#0072b2", "oracle": "#009e73",
}  # fmt: skip
STRATEGY_LINES: Mapping[str, Any] = {
    "none": "-",
    "kill": ":",
    "planned-end": "-.",
    "young": "--",
    "idleq": "-",
    "oracle": (0, (5, 1, 1, 1)),
}

WORDS = {
    "main": "main jobs",
    "killed": "killed main jobs",
    "useful": "useful guest work",
    "unsaved": "not yet saved",
    "overhead": "overhead",
    "away": "away",
    "idle": "idle",
}
DAY_S, HOUR_S = 86_400, 3600
HATCHED = ("useful", "unsaved", "start", "thaw", "freeze", "lost")
SIZES = {"strategies": (9, 4.2), "gaps": (9, 4.4), "waits": (9, 3.8), "gantt": (9, 6), "weeks": (9, 3.4)}
DPI = 150
STYLE: Any = {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": SOFT,
    "axes.labelcolor": SOFT,
    "xtick.color": SOFT,
    "ytick.color": SOFT,
    "text.color": INK,
    "axes.titlesize": 9,
    "axes.titlelocation": "left",
    "svg.hashsalt": "idleq",
    "svg.fonttype": "path",
    "hatch.linewidth": 0.5,
}


def check_installed() -> None:
    """Raise PlotsMissing if nothing can be drawn."""
    if find_spec("matplotlib") is None:
        raise PlotsMissing("figures need matplotlib: pip install 'idleq[plots]', or leave them out with --no-plots")


def drawn(table: FigureTable, marks: Mapping[str, float]) -> tuple[bytes, str]:
    """Return the figure of *table* as PNG and as SVG; *marks* has numbers that some figures mark, by name."""
    return saved(lambda figure: _draw(figure, table, marks), _size(table))


def saved(draw: "Callable[[Figure], None]", size: tuple[float, float]) -> tuple[bytes, str]:
    """Return what *draw* draws on a figure of that *size*, in inches, as PNG and as SVG; the same, byte for byte, each time."""
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with mpl.rc_context(STYLE):
        figure = Figure(figsize=size, layout="constrained")
        FigureCanvasAgg(figure)
        draw(figure)
        png, svg = io.BytesIO(), io.StringIO()
        figure.savefig(png, format="png", dpi=DPI, metadata={"Software": None})
        figure.savefig(svg, format="svg", metadata={"Date": None, "Creator": None})
    text = svg.getvalue()
    return png.getvalue(), text[text.index("<svg") :]


def _size(table: FigureTable) -> tuple[float, float]:
    if table.name == "areas":
        return 9, max(3.4, 0.8 + 1.5 * len(_strategies(table)))
    return SIZES[table.name]


def _draw(figure: "Figure", table: FigureTable, marks: Mapping[str, float]) -> None:
    match table.name:
        case "areas":
            draw_areas(figure, table)
        case "gaps":
            draw_gaps(figure, table, marks["cost_s"])
        case "waits":
            draw_waits(figure, table, marks["tau"])
        case "gantt":
            draw_gantt(figure, table, marks["node_cores"])
        case "weeks":
            draw_weeks(figure, table, marks["tau"])
        case _:
            draw_bars(figure, table)


def _strategies(table: FigureTable) -> list[str]:
    return list(dict.fromkeys(str(row[0]) for row in table.rows))


def _tells(strategies: list[str]) -> bool:
    """Whether their names tell anything: there is more than no guests."""
    return strategies != [Strategy.NONE]


def draw_areas(figure: "Figure", table: FigureTable) -> None:
    """Stack the layers of each strategy, one panel below the other; their sum is the capacity."""
    strategies = _strategies(table)
    panels = figure.subplots(len(strategies), 1, sharex=True, squeeze=False)[:, 0]
    # Nobody looks for what is nowhere.
    held = [(place, layer) for place, layer in enumerate(LAYERS) if any(row[3 + place] for row in table.rows)]
    for panel, strategy in zip(panels, strategies, strict=True):
        rows = [row for row in table.rows if row[0] == strategy]
        edges = [float(row[1] or 0) / DAY_S for row in rows] + [float(rows[-1][2] or 0) / DAY_S]
        below = [0.0] * len(rows)
        for place, layer in held:
            top = [low + float(row[3 + place] or 0) for low, row in zip(below, rows, strict=True)]
            panel.stairs(top, edges, baseline=below, fill=True, color=COLOURS[layer], label=WORDS[layer], linewidth=0)
            below = top
        panel.stairs(below, edges, color=INK, linewidth=1, baseline=None, label="capacity")
        panel.set_title(strategy if _tells(strategies) else "")
        panel.set_xlim(edges[0], edges[-1])
        panel.set_ylim(0, max(below) * 1.04)
        panel.set_ylabel("cores")
    panels[-1].set_xlabel("days")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=len(labels), frameon=False)


def draw_gaps(figure: "Figure", table: FigureTable, cost_s: float) -> None:
    """Draw how many gaps there are of each length, and how much idle time lies in them, with the cost of a thaw and a freeze."""
    above, below = figure.subplots(2, 1, sharex=True)
    rows = table.rows[1:]
    edges = [float(row[0] or 0) for row in rows] + [float(rows[-1][1] or 0)]
    total = sum(float(row[3] or 0) for row in table.rows) or 1
    above.stairs([float(row[2] or 0) for row in rows], edges, fill=True, color=LIGHT["main"])
    below.stairs([100 * float(row[3] or 0) / total for row in rows], edges, fill=True, color=LIGHT["useful"])
    above.set_ylabel("gaps (of a core)")
    below.set_ylabel("% of the idle area")
    below.set_xlabel("length of the gap, seconds (logarithmic)")
    below.set_xscale("log")
    filled = [high for high, row in zip(edges[1:], rows, strict=True) if row[2]]
    below.set_xlim(edges[0], max([10 * edges[0], 1.5 * cost_s, *filled]))
    for panel in (above, below):
        if cost_s > 0:
            panel.axvline(cost_s, color=LIGHT["overhead"], linestyle="--")
    _named_lengths(above)
    if cost_s > 0:
        above.annotate(
            f" thaw + freeze, {cost_s:g} s", (cost_s, 1), xycoords=("data", "axes fraction"),
            color=LIGHT["overhead"], va="top",
        )  # fmt: skip


def _named_lengths(panel: "Axes") -> None:
    for seconds, name in ((60, "1 min"), (3600, "1 h"), (DAY_S, "1 day")):
        low, high = panel.get_xlim()
        if low < seconds < high:
            panel.axvline(seconds, color=SOFT, linewidth=0.5, alpha=0.5)
            panel.annotate(
                name,
                (seconds, 0.86),
                xycoords=("data", "axes fraction"),
                xytext=(3, 0),
                textcoords="offset points",
                color=INK,
                fontsize=8,
                va="top",
                bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1},
            )


def draw_waits(figure: "Figure", table: FigureTable, tau: float) -> None:
    """Draw the shares of main jobs that wait no longer, and that are slowed down no more."""
    panels = figure.subplots(1, 2, sharey=True)
    for strategy in _strategies(table):
        rows = [row for row in table.rows if row[0] == strategy]
        shares = [float(row[1] or 0) for row in rows]
        line = {"color": STRATEGY_COLOURS[strategy], "linestyle": STRATEGY_LINES[strategy], "label": strategy}
        panels[0].step([max(1.0, float(row[2] or 0)) for row in rows], shares, where="post", **line)
        panels[1].step([float(row[3] or 0) for row in rows], shares, where="post", **line)
    for panel, name in zip(panels, ("wait, seconds (at least 1)", f"bounded slowdown, tau {tau:g} s"), strict=True):
        panel.set_xscale("log")
        panel.set_xlabel(f"{name}, logarithmic")
        panel.set_ylim(0, 1.01)
        panel.set_xlim(left=1)
        panel.grid(visible=True, color=SOFT, alpha=0.2, linewidth=0.5)
    panels[0].set_ylabel("share of the main jobs")
    if _tells(_strategies(table)):
        panels[1].legend(frameon=False, loc="lower right")


def draw_weeks(figure: "Figure", table: FigureTable, tau: float) -> None:
    """Draw the mean of each week beside that of the whole and its interval, one panel for each measure."""
    names = {"wait_s": "mean wait, hours", "slowdown": f"bounded slowdown, tau {tau:g} s", "main": "main jobs, %"}
    scales = {"wait_s": 1 / HOUR_S, "slowdown": 1.0, "main": 100.0}
    measures = list(dict.fromkeys(str(row[1]) for row in table.rows))
    for panel, measure in zip(figure.subplots(1, len(measures), squeeze=False)[0], measures, strict=True):
        rows, scale = [row for row in table.rows if row[1] == measure], scales[measure]
        mean, half = (scale * float(cell or 0) for cell in rows[0][4:])
        panel.axhspan(max(0.0, mean - half), mean + half, color=LIGHT["main"], alpha=0.25, linewidth=0)
        panel.axhline(mean, color=INK, linewidth=1)
        panel.plot([row[2] for row in rows], [scale * float(row[3] or 0) for row in rows], "o", color=LIGHT["main"])
        panel.set_title(names[measure])
        panel.set_xlabel("week")
        panel.xaxis.get_major_locator().set_params(integer=True)
        panel.set_ylim(bottom=0)


def draw_gantt(figure: "Figure", table: FigureTable, node_cores: float) -> None:
    """Draw what each node did: main jobs plain, guests hatched."""
    from matplotlib.collections import PolyCollection
    from matplotlib.patches import Patch

    panel = figure.subplots()
    nodes = 1 + max((int(row[0] or 0) for row in table.rows), default=0)
    for part in ("main", *HATCHED):
        is_guest = part in HATCHED
        shapes = [_box(row, node_cores) for row in table.rows if row[3] == part]
        hatch = "////" if is_guest else None
        panel.add_collection(
            PolyCollection(
                shapes, facecolors=COLOURS[part], edgecolors="white", linewidths=0, hatch=hatch, antialiaseds=False
            )
        )
    panel.set_ylim(nodes, 0)
    panel.set_ylabel("node" if node_cores > 1 else "processor")
    panel.set_xlabel("hours from the first submit on")
    if table.rows:
        panel.set_xlim(
            min(float(row[1] or 0) for row in table.rows) / HOUR_S,
            max(float(row[2] or 0) for row in table.rows) / HOUR_S,
        )
    panel.set_facecolor(LIGHT["idle"])
    key = [
        ("main jobs", "main", False),
        ("useful guest work", "useful", True),
        ("starts, thaws, freezes", "freeze", True),
    ]
    key += [("lost work", "lost", True), ("idle", "idle", False)]
    patches = [
        Patch(facecolor=COLOURS[role], label=name, hatch="////" if is_hatched else None, edgecolor="white")
        for name, role, is_hatched in key
    ]
    figure.legend(handles=patches, loc="outside upper center", ncols=len(patches), frameon=False)


def _box(row: tuple[Cell, ...], node_cores: float) -> list[tuple[float, float]]:
    """Return the corners of a stretch; a node's first cores are at the floor of its row."""
    node, left, right = int(row[0] or 0), float(row[1] or 0) / HOUR_S, float(row[2] or 0) / HOUR_S
    low, cores = float(row[4] or 0), float(row[5] or 0)
    floor, top = node + 1 - low / node_cores, node + 1 - min(1.0, (low + cores) / node_cores)
    return [(left, top), (right, top), (right, floor), (left, floor)]


def draw_bars(figure: "Figure", table: FigureTable) -> None:
    """Draw where the capacity went with each strategy, and what share of what could be harvested was."""
    left, right = figure.subplots(1, 2, sharey=True)
    strategies = _strategies(table)
    found = {(row[0], row[1]): (float(row[2] or 0), float(row[3] or 0)) for row in table.rows}
    for place, strategy in enumerate(strategies):
        start = 0.0
        for part in ("main", "useful", "overhead", "idle"):
            width = 100 * found.get((strategy, part), (0, 0))[0]
            left.barh(place, width, left=start, color=COLOURS[part], label=WORDS[part] if place == 0 else None)
            start += width
        mean, half = found[strategy, "effective"]
        if half > 0:
            left.errorbar(100 * mean, place, xerr=100 * half, color=INK, marker="|", capsize=3)
        left.annotate(
            f"{100 * mean:.1f} % effective",
            (1, place),
            color=INK,
            va="center",
            xytext=(4, 0),
            textcoords="offset points",
        )
        harvest, half = found.get((strategy, "harvest"), (0, 0))
        right.barh(place, 100 * harvest, color=STRATEGY_COLOURS[strategy], xerr=100 * half or None, capsize=3)
        right.annotate(
            f"{100 * harvest:.1f} %",
            (100 * (harvest + half), place),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
        )
    left.set_yticks(range(len(strategies)), strategies)
    left.invert_yaxis()
    left.set_xlim(0, 100)
    right.set_xlim(0, 115)
    left.set_xlabel("% of the capacity")
    right.set_xlabel("harvest, % of what could be harvested")
    figure.legend(loc="outside upper left", ncols=4, frameon=False)

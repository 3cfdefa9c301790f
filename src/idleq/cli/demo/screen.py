"""Shows the demo while it runs: a live picture on a terminal, lines elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from idleq.cli.demo.moment import Moment, changes
from idleq.cli.session import Session
from idleq.cli.views import gap_end, node_state, progress_word, state_word
from idleq.cli.wording import clock_time

if TYPE_CHECKING:
    from rich.console import RenderableType

LINES_KEPT = 12
BAR_CELLS = 30
COLOURS = {"busy": "white on grey30", "guests": "black on green", "idle": "cyan", "down": "red"}

Show = Callable[[Moment], None]


@contextmanager
def screen(session: Session) -> Iterator[Show]:
    """What shows one moment after the other."""
    if session.is_talking:
        with _live(session) as show:
            yield show
        return
    before: Moment | None = None

    def tell(moment: Moment) -> None:
        nonlocal before
        for line in changes(before, moment):
            session.say(f"{clock_time(moment.now)}  {line}")
        before = moment

    yield tell


@contextmanager
def _live(session: Session) -> Iterator[Show]:
    from rich.console import Console
    from rich.live import Live

    before: Moment | None = None
    told: list[str] = []
    console = Console(file=session.stderr, no_color=bool(session.environment.get("NO_COLOR")), highlight=False)
    with Live(console=console, auto_refresh=False, transient=True) as live:

        def show(moment: Moment) -> None:
            nonlocal before
            told.extend(f"{clock_time(moment.now)}  {line}" for line in changes(before, moment))
            before = moment
            live.update(drawn(moment, told[-LINES_KEPT:]), refresh=True)

        yield show
    for line in told:
        session.say(line)


def drawn(moment: Moment, told: list[str]) -> RenderableType:
    """Return the picture of one moment."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for title in ("NODE", "HOLDS", "GAP"):
        table.add_column(title, min_width=10)
    for node in moment.nodes:
        state = node_state(node)
        main = f"main job {node.main_job}" if node.main_job else state
        holds = f"job {' '.join(node.guests)}" if node.guests else main
        table.add_row(node.name, Text(f" {holds} ", style=COLOURS.get(state, "")), gap_end(node, moment.now))
    return Group(table, Text(job_line(moment)), Text(""), *(Text(line) for line in told))


def job_line(moment: Moment) -> str:
    """Return the job's state, its progress as a bar, and the losses."""
    row = moment.row
    filled = BAR_CELLS * row.step // row.total if row.total else 0
    bar = "━" * filled + "─" * (BAR_CELLS - filled)
    losses = "  ".join(f"{name} loss {value:.3f}" for name, value in moment.losses)
    where = f" on {row.node}" if row.node else ""
    return f"job {row.id} {state_word(row)}{where}  {bar} {progress_word(row)}  {losses}".rstrip()

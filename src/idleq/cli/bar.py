"""How far something long is, for a person at a terminal."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from idleq.cli.session import Session


SILENT_S = 60
"""Where nobody sees a bar, as in a batch job's output, a line so often shows that it goes on."""


def now_and_then(session: "Session") -> Callable[[str], None]:
    """Return what says what it is told, but for most of it: a line a minute."""
    last = monotonic()

    def say(text: str) -> None:
        nonlocal last
        if (now := monotonic()) - last >= SILENT_S:
            last = now
            session.say(text)

    return say


@contextmanager
def progress(session: "Session", what: str, total: int) -> Iterator[Callable[[int], None]]:
    """Show how many of *total* are done, on a terminal as a bar; yields what is told."""
    if not session.is_talking:
        say = now_and_then(session)
        yield lambda done: say(f"{what}: {done} of {total}")
        return
    from rich.console import Console
    from rich.progress import MofNCompleteColumn, Progress

    columns = (*Progress.get_default_columns(), MofNCompleteColumn())
    with Progress(*columns, console=Console(file=session.stderr), transient=True) as bar:
        task = bar.add_task(what, total=total)
        yield lambda done: bar.update(task, completed=done)

"""How far something long is, for a person at a terminal."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from idleq.cli.session import Session


@contextmanager
def progress(session: "Session", what: str, total: int) -> Iterator[Callable[[int], None]]:
    """Show on a terminal how many of *total* are done; yields what is told."""
    if not session.is_talking:
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import MofNCompleteColumn, Progress

    columns = (*Progress.get_default_columns(), MofNCompleteColumn())
    with Progress(*columns, console=Console(file=session.stderr), transient=True) as bar:
        task = bar.add_task(what, total=total)
        yield lambda done: bar.update(task, completed=done)

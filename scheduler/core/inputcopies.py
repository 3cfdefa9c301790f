"""Which copies of inputs jobs may still want, and which nobody ever will: for whoever removes them where they lie."""

from collections.abc import Container

from idleq.scheduler.core.rows import InputCopies
from idleq.scheduler.core.state import State


def input_copies(state: State, among: Container[str] | None = None, user: str = "") -> InputCopies:
    """Return what is known of copies, of those *among* these if any are named, by the jobs of *user* alone if one is."""
    wanted: set[str] = set()
    done: set[str] = set()
    failed: set[str] = set()
    for entry in state.entries.values():
        inputs = entry.spec.inputs
        if inputs is None or (user and entry.user != user):
            continue
        if among is None or inputs.id in among:
            (wanted if not entry.is_over else failed if entry.has_failed else done).add(inputs.id)
    return InputCopies(frozenset(wanted), frozenset(done - failed - wanted))

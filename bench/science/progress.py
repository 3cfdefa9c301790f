"""What a person is told while everything runs: what is done, and now and then what runs."""

import time
from collections.abc import Collection, Sequence

from bench.science.running import Looked
from idleq.cli.views import progress_word, state_word
from idleq.scheduler.core.rows import JobRow

TELL_SECONDS = 30.0


class Progress:
    """Prints a line when a step is done, and every half minute one of what runs, if that is another than the last."""

    def __init__(self, done_before: Collection[str]) -> None:
        self.begun = time.monotonic()
        self.done = set(done_before)
        self.told_at = -TELL_SECONDS
        self.last = ""

    def __call__(self, looked: Looked) -> None:
        passed = time.monotonic() - self.begun
        for name in looked.done:
            if name not in self.done:
                self._say(passed, f"{name} is done, {len(looked.done)} of {len(looked.wanted)}")
        self.done = set(looked.done)
        line = at_present(list(looked.rows.values()))
        if line != self.last and passed - self.told_at >= TELL_SECONDS:
            self._say(passed, line)
            self.told_at, self.last = passed, line

    @staticmethod
    def _say(passed: float, text: str) -> None:
        print(f"{int(passed) // 60:4d} min  {text}", flush=True)


def at_present(rows: Sequence[JobRow]) -> str:
    """What runs and what is frozen, how far each is, and how many jobs have not begun."""
    begun = [row for row in rows if state_word(row) in {"running", "freezing", "frozen"}]
    waiting = sum(
        state_word(row) not in {"running", "freezing", "frozen", "done", "failed", "cancelled"} for row in rows
    )
    said = [f"{row.name} {_how(row)}" for row in sorted(begun, key=lambda row: row.node is None)]
    said += [f"{waiting} more wait"] if waiting else []
    return ", ".join(said) or "nothing runs"


def _how(row: JobRow) -> str:
    place = f"on {row.node}" if state_word(row) == "running" else f"({state_word(row)})"
    return f"{progress_word(row)} {place}"

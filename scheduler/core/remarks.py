"""What whoever submits is told of jobs that are taken in, and that gaps do not suit as they are described."""

from collections.abc import Iterable

from idleq.ids import EntryId
from idleq.scheduler.core.prospects import listed, span
from idleq.scheduler.core.state import State
from idleq.scheduler.core.submission import FreezeMethod, JobSpec


def remarks(state: State, entries: Iterable[EntryId]) -> tuple[str, ...]:
    """Return a sentence for each thing that is to be said of some of *entries*."""
    whose: dict[str, list[EntryId]] = {}
    for name in entries:
        entry = state.entries.get(name)  # one that was submitted again may be over for so long that it is forgotten
        if entry is not None and (problem := _problem(state, entry.spec)):
            whose.setdefault(problem, []).append(name)
    return tuple(f"{_named(names)} {problem}." for problem, names in whose.items())


def never_begins(state: State, spec: JobSpec) -> str:
    """Return why no gap will ever do for a job of that *spec*, to be said of it; "" if one might."""
    most = state.policy.usable_ms(state.policy.max_allocation_ms)
    if spec.freeze is not FreezeMethod.NONE or spec.expected_ms is None or spec.expected_ms <= most:
        return ""
    return (
        f"cannot be frozen, and jobs have at most {span(most)} of an allocation here (policy.max_allocation), "
        f"less than the {span(spec.expected_ms)} that are expected: it never begins"
    )


def _problem(state: State, spec: JobSpec) -> str:
    if spec.freeze is FreezeMethod.NONE and spec.expected_ms is None:
        return "cannot be frozen, and begins anew where a gap ends first: with --expected idleq chooses gaps that are long enough"
    return never_begins(state, spec)


def _named(names: list[EntryId]) -> str:
    which = listed(tuple(map(str, names)))
    return f"Job {which}" if len(names) == 1 else f"Each of the jobs {which}"

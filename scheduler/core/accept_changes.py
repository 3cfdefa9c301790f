"""What people want to be another of jobs that they have submitted, and whether it can be."""

from msgspec import structs

from idleq.ids import Millis, entry_of
from idleq.scheduler.core.accept_people import problems_of, targets
from idleq.scheduler.core.draft import Draft
from idleq.scheduler.core.facts import EntryChanged
from idleq.scheduler.core.submission import JobSpec
from idleq.scheduler.core.wishes import Changes, ChangeWished


def change_wished(draft: Draft, what: ChangeWished) -> None:
    """Change all jobs of *target* that are not over; refuse what could not have been submitted either.

    Told again, it is as it was. What runs keeps its cores and its memory as long as its segment lasts.
    """
    if targets(draft, what.target) is None:
        return
    entry = draft.state.entries[entry_of(what.target)]
    changed = changed_spec(entry.spec, what.changes)
    if what.target != str(entry.id):
        message = f"the tasks of array {entry.id} are alike, and {what.target} cannot be changed alone; `idleq modify {entry.id}` changes all that are not over"
        draft.refuse("conflict", message)
    elif what.changes == Changes():
        draft.refuse("invalid", f"nothing is said that is to change of job {what.target}")
    elif problem := next(problems_of(draft.state, structs.replace(entry.submission, spec=changed)), None):
        draft.refuse("invalid", f"job {what.target} cannot be so: {problem}")
    elif changed != entry.spec:
        draft.record(EntryChanged(entry=entry.id, spec=changed))


def changed_spec(spec: JobSpec, changes: Changes) -> JobSpec:
    """Return *spec* with *changes*."""
    held = spec.resources
    return structs.replace(
        spec,
        priority=spec.priority if changes.priority is None else changes.priority,
        expected_ms=_duration(spec.expected_ms, changes.expected_ms),
        max_run_ms=_duration(spec.max_run_ms, changes.max_run_ms),
        retries=spec.retries if changes.retries is None else changes.retries,
        resources=structs.replace(
            held,
            cores=held.cores if changes.cores is None else changes.cores,
            memory=held.memory if changes.memory is None else changes.memory,
        ),
    )


def _duration(before: Millis | None, wished: Millis | None) -> Millis | None:
    if wished is None:
        return before
    return wished if wished != 0 else None

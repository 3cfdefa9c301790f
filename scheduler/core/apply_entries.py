"""What facts about entries make of the state."""

from heapq import heappush
from typing import assert_never

from msgspec.structs import replace

from idleq.ids import EntryId, Millis
from idleq.scheduler.core.entry import Entry, Rest
from idleq.scheduler.core.facts import EntryAdded, EntryCancelled, EntryChanged, EntryHeld, EntryReady, EntryReleased
from idleq.scheduler.core.lines import leave_line, stand_in_line
from idleq.scheduler.core.state import Alarm, State
from idleq.scheduler.core.submission import JobSpec

EntryFact = EntryAdded | EntryChanged | EntryReady | EntryHeld | EntryReleased | EntryCancelled


def apply_entry(state: State, at: Millis, fact: EntryFact) -> None:
    """Change *state* as *fact* says."""
    if isinstance(fact, EntryAdded):
        _add(state, at, fact)
        return
    entry = state.entries[fact.entry]
    leave_line(state, entry)
    match fact:
        case EntryChanged(spec=spec):
            _change(state, entry, spec)
        case EntryReady():
            entry.is_ready = True
            entry.rest = Rest.QUEUED if entry.rest is Rest.WAITING else entry.rest
        case EntryHeld(reason=reason):
            entry.rest, entry.reason = Rest.HELD, reason
        case EntryReleased():
            entry.rest, entry.reason = Rest.QUEUED if entry.is_ready else Rest.WAITING, ""
        case EntryCancelled(reason=reason):
            entry.rest, entry.reason, entry.cancelled_at = Rest.CANCELLED, reason, at
            entry.cancelled += entry.left
            entry.left = 0
            note_if_over(state, entry)
        case _:
            assert_never(fact)
    stand_in_line(state, entry)


def _add(state: State, at: Millis, fact: EntryAdded) -> None:
    submission = fact.submission
    is_ready = not submission.after
    entry = Entry(
        id=fact.entry,
        submission=submission,
        request=fact.request,
        user=fact.user,
        queued_since=at,
        rest=Rest.HELD if submission.held else Rest.QUEUED if is_ready else Rest.WAITING,
        reason="submitted on hold" if submission.held else "",
        is_ready=is_ready,
        left=submission.tasks,
    )
    state.entries[fact.entry] = entry
    state.next_entry = max(state.next_entry, fact.entry + 1)
    first, _ = state.requests.get(fact.request, (fact.entry, fact.entry))
    state.requests[fact.request] = (first, fact.entry)
    for awaited in submission.after:
        state.dependents.setdefault(awaited, {})[fact.entry] = None
    if not is_ready:
        state.agenda.finished.update(dict.fromkeys(submission.after))
    stand_in_line(state, entry)


def _change(state: State, entry: Entry, spec: JobSpec) -> None:
    """Take its jobs out of the lines that they stood in as they were; those that run see to their new end."""
    for name in entry.open:
        state.queue.take(entry.id, name)
    entry.submission = replace(entry.submission, spec=spec)
    if spec.max_run_ms is None:
        return
    for name in entry.open:
        if (segment := state.jobs[name].segment) is not None:
            began = segment.bound_at if segment.since is None else segment.since
            heappush(state.alarms, (Millis(began + spec.max_run_ms - segment.first_run_ms), Alarm.MAX_RUN, name))


def note_if_over(state: State, entry: Entry) -> None:
    """Let those that wait for *entry* be looked at, once all of it is final."""
    if entry.is_over or entry.has_failed:
        state.agenda.finished[EntryId(entry.id)] = None

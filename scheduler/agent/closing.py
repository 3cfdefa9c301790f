"""From the process's end to the last word about the segment: what it left is put away first."""

from collections.abc import Callable, Sequence

from idleq.ids import Millis
from idleq.migration import snapshot
from idleq.migration.errors import FolderRefused, SnapshotNotWritten
from idleq.migration.ports import Ended
from idleq.migration.snapshot import Published
from idleq.migration.tree import Item, is_empty
from idleq.scheduler.agent import mishaps
from idleq.scheduler.agent.background import AT_ONCE, NORMAL
from idleq.scheduler.agent.decide import Cause, Phase
from idleq.scheduler.agent.guest import Guest
from idleq.scheduler.agent.node import Node
from idleq.scheduler.agent.outcome import NOT_KEPT, Broken, Done, End, Saved, judge
from idleq.scheduler.agent.saving import Problem, take_whole
from idleq.scheduler.agent.signals import number_of
from idleq.scheduler.agent.staged import list_output, list_result
from idleq.scheduler.core.inputs import Exited, Frozen
from idleq.scheduler.core.snapshot import Snapshot
from idleq.scheduler.core.submission import FreezeMethod

BAD_OUTPUT = 65
"""The code of a segment that left something that is not kept (sysexits' EX_DATAERR)."""


def on_ended(node: Node, guest: Guest, ended: Ended) -> None:
    """Put away what the guest left, then tell."""
    guest.phase, guest.ended_at = Phase.CLOSING, node.clock.now()
    if progress := guest.news_of_progress():
        node.reports.add(progress)
    match judge(_end(guest, ended)):
        case Done():
            _publish(node, guest, lambda result: _on_published(node, guest, result), outputs=guest.launch.spec.outputs)
        case Saved():
            _save(node, guest)
        case Broken(code, cause, reason):
            # What it left helps to see what went wrong; whether it could be kept does not matter.
            _publish(node, guest, lambda _: finish(node, guest, code, cause, reason))


def _end(guest: Guest, ended: Ended) -> End:
    stop = guest.stop
    is_asked = guest.asked_at is not None and guest.method is FreezeMethod.APP
    trouble = f" ({guest.trouble})" if guest.trouble else ""
    return End(
        code=ended.code,
        lost=ended.lost,
        ran_out=ended.ran_out,
        is_uprooted=guest.folders.are_gone,
        can_freeze=guest.may_save,
        has_checkpoint=guest.folders.has_checkpoint,
        asked_by=number_of(guest.launch.spec.signal) if is_asked else 0,
        stop_reason=f"{stop.reason}{trouble}" if stop else "",
        stop_cause=stop.cause if stop else "agent",
    )


def _publish(
    node: Node, guest: Guest, then: Callable[[Published | Problem], None], outputs: Sequence[str] = ()
) -> None:
    if _has_no_output(guest):
        then(
            _published(node, guest, outputs)
        )  # next to nothing to do: the way through the background would take longer
    else:
        node.background.submit(NORMAL, lambda: _published(node, guest, outputs), then, mishaps.of(node, guest))


def _has_no_output(guest: Guest) -> bool:
    try:
        return is_empty(guest.folders.output)
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False  # the guest has closed it, or its disk is gone: who publishes it finds out and says so


def _published(node: Node, guest: Guest, outputs: Sequence[str]) -> Published | Problem:
    segment = node.paths.job(guest.launch.job).segment(guest.launch.fence)

    def publish(items_of: Callable[[], Sequence[Item]]) -> Published | Problem:
        try:
            return snapshot.publish_output(items_of, segment.output, segment.manifest)
        except (FolderRefused, SnapshotNotWritten) as problem:
            return problem

    result = publish(lambda: list_result(guest.folders, outputs))
    if outputs and isinstance(result, FolderRefused):
        publish(lambda: list_output(guest.folders))  # what it left instead helps to see what went wrong
    return result


def _on_published(node: Node, guest: Guest, result: Published | Problem) -> None:
    match result:
        case Published(digest, _):
            launch = guest.launch
            done = Exited(
                job=launch.job, fence=launch.fence, code=0, at=guest.ended_at, cause="workload", digest=digest
            )
            node.finish(guest, done)
        case FolderRefused():
            finish(node, guest, BAD_OUTPUT, "workload", f"its output cannot be kept: {result}")
        case SnapshotNotWritten():
            finish(node, guest, NOT_KEPT, "agent", f"its output could not be kept: {result}")


def _save(node: Node, guest: Guest) -> None:
    since = guest.asked_at if guest.asked_at is not None else guest.ended_at
    name, run_ms = guest.next_snapshot(), guest.run_ms(since)
    node.background.submit(
        AT_ONCE,
        lambda: take_whole(node, guest, name, run_ms),
        lambda result: on_snapshot(node, guest, since, result),
        mishaps.of(node, guest),
    )


def on_snapshot(node: Node, guest: Guest, since: Millis, result: Snapshot | Problem) -> None:
    """Tell how its snapshot came out: that is the end of the segment."""
    launch, now = guest.launch, node.clock.now()
    match result:
        case Snapshot():
            frozen = Frozen(
                job=launch.job,
                fence=launch.fence,
                snapshot=result,
                at=now,
                freeze_ms=Millis(now - since),
                reason=guest.ask_reason or "it left by itself, saved",
            )
            node.finish(guest, frozen)
        case FolderRefused():
            finish(node, guest, BAD_OUTPUT, "workload", f"what it saved cannot be kept: {result}")
        case SnapshotNotWritten():
            finish(node, guest, NOT_KEPT, "agent", f"what it saved could not be kept: {result}")


def finish(node: Node, guest: Guest, code: int, cause: Cause, reason: str) -> None:
    """Tell that the segment has ended without a snapshot."""
    launch = guest.launch
    node.log.info("agent.segment_broken", job=launch.job, fence=launch.fence, code=code, cause=cause, reason=reason)
    node.finish(
        guest,
        Exited(job=launch.job, fence=launch.fence, code=code, at=guest.ended_at, cause=cause, reason=reason),
    )

"""From the wish to freeze a guest to its snapshot; a method that fails gives way to the next, and the guest goes on meanwhile."""

import shutil
from dataclasses import dataclass

from idleq.ids import Millis, SnapshotId
from idleq.migration.early import Early
from idleq.migration.errors import FolderRefused, FreezeFailed, MigrationError
from idleq.migration.ports import FrozenState
from idleq.scheduler.agent import closing, mishaps, saves, saving, starting
from idleq.scheduler.agent.background import AT_ONCE, IDLE, URGENT
from idleq.scheduler.agent.decide import Phase, Stop
from idleq.scheduler.agent.folders import PRIVATE
from idleq.scheduler.agent.guest import Guest
from idleq.scheduler.agent.node import Node
from idleq.scheduler.agent.outcome import NOT_KEPT
from idleq.scheduler.agent.saving import Problem
from idleq.scheduler.agent.signals import number_of
from idleq.scheduler.core.inputs import CommandFailed
from idleq.scheduler.core.snapshot import Snapshot
from idleq.scheduler.core.submission import FreezeMethod


@dataclass(frozen=True, slots=True)
class FrozenGuest:
    """What a freeze has left: what the engine says of it, the part of its snapshot that is stored already, and why that is none."""

    state: FrozenState
    early: Early | None
    trouble: str


def begin(node: Node, guest: Guest, reason: str) -> None:
    """Freeze the guest, which runs, by its method; its snapshot, or what became of it instead, is told later."""
    guest.phase, guest.asked_at, guest.ask_reason = Phase.FREEZING, node.clock.now(), reason
    if guest.prefers_app and guest.method is FreezeMethod.APP and not _hears(node, guest):
        guest.method = FreezeMethod.CRIU  # that costs more, but works
    if guest.method is FreezeMethod.CRIU:
        name = guest.next_snapshot()
        node.background.submit(
            URGENT,
            lambda: _freeze(node, guest, name),
            lambda result: _on_frozen(node, guest, name, result),
            mishaps.of(node, guest),
        )
    elif guest.launch.spec.freeze is not FreezeMethod.APP:
        _ask_if_it_hears(node, guest)
    elif guest.wish is not None and not _hears(node, guest):
        _leave_alone(node, guest)
    else:
        _ask(node, guest)  # one that must go may yet learn to listen


def _freeze(node: Node, guest: Guest, name: SnapshotId) -> FrozenGuest | FreezeFailed:
    """In the background; a part of its snapshot *name* is stored then."""
    images, store = guest.folders.images, saving.early_store(node, guest, name)
    try:
        saves.from_outside(guest.folders)  # what cannot be kept is found while it still runs
        images.mkdir(mode=PRIVATE)
        with store:
            state = node.runtime.freeze(guest.name, images)
    except FreezeFailed as failure:
        shutil.rmtree(images, ignore_errors=True)
        return failure
    except (FolderRefused, OSError) as error:
        shutil.rmtree(images, ignore_errors=True)
        return FreezeFailed(str(error))
    except Exception as error:  # noqa: BLE001 - whatever it is, the guest has not been frozen, and may go on
        shutil.rmtree(images, ignore_errors=True)
        return FreezeFailed(mishaps.in_words(error))
    return FrozenGuest(state, store.early, store.trouble)


def _on_frozen(node: Node, guest: Guest, name: SnapshotId, result: FrozenGuest | FreezeFailed) -> None:
    if guest.phase is not Phase.FREEZING:
        # It has ended before it could be frozen, and that is told.
        if isinstance(result, FrozenGuest) and result.early is not None:
            node.background.submit(IDLE, result.early.discard, lambda _: None, mishaps.of(node, guest))
        return
    if isinstance(result, FreezeFailed):
        _fall_back(node, guest, result)
        return
    launch, now, state = guest.launch, node.clock.now(), result.state
    node.log.info(
        "agent.frozen",
        job=launch.job,
        fence=launch.fence,
        bytes=state.bytes,
        stopped_ms=state.stopped_ms,
        early_bytes=result.early.bytes if result.early else 0,
        **({"early_trouble": result.trouble} if result.trouble else {}),
    )
    guest.phase, guest.ended_at = Phase.CLOSING, now
    if progress := guest.news_of_progress():
        node.reports.add(progress)
    since = guest.asked_at if guest.asked_at is not None else now
    run_ms = guest.run_ms(since)
    node.background.submit(
        AT_ONCE,
        lambda: saving.take_frozen(node, guest, name, run_ms, result.early),
        lambda taken: _on_taken(node, guest, since, taken),
        mishaps.of(node, guest),
    )


def _on_taken(node: Node, guest: Guest, since: Millis, taken: Snapshot | Problem) -> None:
    if isinstance(taken, Snapshot):
        closing.on_snapshot(node, guest, since, taken)
    elif guest.stop is not None:
        closing.finish(node, guest, NOT_KEPT, "agent", f"{guest.stop.reason}, and {taken}")
    else:
        _go_on(node, guest, taken)


def _fall_back(node: Node, guest: Guest, failure: FreezeFailed) -> None:
    """Let the workload save itself, if it listens; if not, it runs on for as long as it may."""
    launch = guest.launch
    node.log.warning("agent.freeze_failed", job=launch.job, fence=launch.fence, reason=str(failure))
    guest.trouble = str(failure)
    if guest.stop is not None:
        return  # it is being killed, which is perhaps why
    if failure.is_broken:
        guest.stop = Stop(launch.job, launch.fence, "its freeze was broken off half-way")
        node.runtime.kill([guest.name])  # it is dead or dying, but nobody knows what a broken engine has left
    else:
        _ask_if_it_hears(node, guest)


def _ask_if_it_hears(node: Node, guest: Guest) -> None:
    if guest.may_save and _hears(node, guest):
        guest.method = FreezeMethod.APP
        _ask(node, guest)
        return
    guest.method, guest.phase, guest.asked_at, guest.signalled_at = FreezeMethod.NONE, Phase.RUNNING, None, None
    guest.trouble = guest.trouble or f"it has no handler for {guest.launch.spec.signal}"
    if guest.wish is not None and not guest.must_go:
        tell_in_vain(node, guest)
    if guest.must_go and guest.stop is None:
        guest.stop = Stop(guest.launch.job, guest.launch.fence, guest.ask_reason)
        node.runtime.kill([guest.name])


def _leave_alone(node: Node, guest: Guest) -> None:
    """It does not listen yet, and nobody needs it to go: to ask it would only end it after a while."""
    guest.phase, guest.asked_at = Phase.RUNNING, None
    guest.trouble = f"it has no handler for {guest.launch.spec.signal}"
    tell_in_vain(node, guest)


def _ask(node: Node, guest: Guest) -> None:
    """Let the workload save itself."""
    node.runtime.signal(guest.name, number_of(guest.launch.spec.signal))
    guest.signalled_at = node.clock.now()


def _hears(node: Node, guest: Guest) -> bool:
    return node.runtime.hears(guest.name, number_of(guest.launch.spec.signal))


def tell_in_vain(node: Node, guest: Guest) -> None:
    """Say that it could not be frozen, as somebody had wished, and runs on."""
    assert guest.wish is not None  # somebody did
    reason = guest.trouble or "it cannot be frozen on this node"
    node.reports.add(CommandFailed(command=guest.wish, reason=reason, transient=False))
    guest.wish = None


def _go_on(node: Node, guest: Guest, problem: Problem) -> None:
    """What was frozen could not be put away: thaw it here, where it still is."""

    def thaw() -> MigrationError | None:
        try:
            node.runtime.thaw(starting.order_for(node, guest), guest.folders.images)
        except MigrationError as failure:
            return failure
        return None

    node.background.submit(
        URGENT, thaw, lambda failure: _on_going_on(node, guest, problem, failure), mishaps.of(node, guest)
    )


def _on_going_on(node: Node, guest: Guest, problem: Problem, failure: MigrationError | None) -> None:
    if failure is not None:
        closing.finish(node, guest, NOT_KEPT, "agent", f"{problem}; and it did not go on here: {failure}")
        return
    node.background.submit(
        IDLE,
        lambda: shutil.rmtree(guest.folders.images, ignore_errors=True),
        lambda _: None,
        mishaps.of(node, guest),
    )
    guest.phase = Phase.FREEZING
    _fall_back(node, guest, FreezeFailed(f"what was frozen could not be put away: {problem}"))
    if guest.stop is not None:
        node.runtime.kill([guest.name])

"""Snapshots: of a guest that has left to be thawed elsewhere, and of one that goes on."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from idleq.ids import Millis, SnapshotId
from idleq.migration import snapshot
from idleq.migration.early import Early, EarlyStore
from idleq.migration.errors import FolderRefused, SnapshotNotWritten, StartFailed
from idleq.migration.here import origin_here
from idleq.migration.manifest import APP, Origin, needs_of
from idleq.migration.tree import Item
from idleq.scheduler.agent import mishaps, saves
from idleq.scheduler.agent.background import NORMAL
from idleq.scheduler.agent.decide import Phase
from idleq.scheduler.agent.guest import Guest
from idleq.scheduler.agent.node import Node
from idleq.scheduler.agent.ordering import engine_of
from idleq.scheduler.agent.tail import whole_number
from idleq.scheduler.core.abilities import CRIU
from idleq.scheduler.core.inputs import Progressed
from idleq.scheduler.core.snapshot import Snapshot

FROM_OUTSIDE = "criu"
"""The kind of snapshots that hold what criu took of a guest's processes."""

Problem = FolderRefused | SnapshotNotWritten


def take_whole(node: Node, guest: Guest, name: SnapshotId, run_ms: Millis) -> Snapshot | Problem:
    """In the background: publish a snapshot of a guest that has ended; return it, or what went wrong."""
    step, _ = guest.told
    return _take(node, guest, (name, run_ms, step), lambda: saves.whole(guest.folders))


def early_store(node: Node, guest: Guest, name: SnapshotId) -> EarlyStore:
    """Return what puts a part of the snapshot *name* away while *guest* is being frozen."""
    target = node.paths.job(guest.launch.job).snapshot(name).root
    return snapshot.early_store(guest.folders.images, saves.IMAGES, target, node.packer)


def take_frozen(node: Node, guest: Guest, name: SnapshotId, run_ms: Millis, early: Early | None) -> Snapshot | Problem:
    """In the background: publish a snapshot of a guest that criu has frozen, of which a part may be stored *early*; return it, or what went wrong."""
    step, _ = guest.told
    known = name, run_ms, step
    taken = _take(node, guest, known, lambda: saves.from_outside(guest.folders), kind=FROM_OUTSIDE, early=early)
    if early is not None and not isinstance(taken, Snapshot):
        early.discard()
    return taken


def take_saved(node: Node, guest: Guest, name: SnapshotId, run_ms: Millis, step: int) -> Snapshot | Problem:
    """In the background: publish a snapshot of what a guest that goes on has saved; return it, or what went wrong."""
    folders = guest.folders
    return _take(
        node,
        guest,
        (name, run_ms, step),
        lambda: saves.as_saved(folders),
        lambda items: saves.check_unchanged(items, folders),
    )


def _take(
    node: Node,
    guest: Guest,
    known: tuple[SnapshotId, Millis, int],
    items_of: Callable[[], Sequence[Item]],
    check: Callable[[Sequence[Item]], None] = lambda _: None,
    kind: str = APP,
    early: Early | None = None,
) -> Snapshot | Problem:
    where, now = node.paths.job(guest.launch.job), node.clock.now()
    name, run_ms, step = known
    try:
        origin = origin_of(node, guest, now)
        items = items_of()
        published = snapshot.publish(
            items,
            where.snapshot(name).root,
            kind=kind,
            origin=origin,
            check=lambda: check(items),
            packer=node.packer,
            early=early,
        )
    except (FolderRefused, SnapshotNotWritten) as problem:
        return problem
    except OSError as error:
        return SnapshotNotWritten(f"the workload's folders cannot be read: {error}")
    except StartFailed as error:
        return SnapshotNotWritten(f"nothing here could thaw it: {error}")
    except Exception as error:  # noqa: BLE001 - whatever it is, this snapshot is not written, and no other guest's work has failed
        return SnapshotNotWritten(mishaps.in_words(error))
    _prune(node, guest)
    return Snapshot(
        id=name,
        fence=guest.launch.fence,
        digest=published.digest,
        bytes=published.bytes,
        taken_at=now,
        run_ms=run_ms,
        step=step,
        needs=(CRIU,) if kind == FROM_OUTSIDE else (),
        bound_to=needs_of(kind, origin, is_reproducible=guest.launch.spec.reproducible),
    )


def _prune(node: Node, guest: Guest) -> None:
    """Remove older snapshots; those that cannot be, the daemon finds later (see its quota)."""
    where = node.paths.job(guest.launch.job)
    # What this segment was thawed from did verify, which newer ones of earlier segments perhaps did not.
    verified = guest.launch.thaw_from
    try:
        snapshot.prune(where.snapshots, node.settings.generations, spare=(verified.id,) if verified else ())
    except OSError as error:
        node.log.warning("agent.snapshots_not_pruned", job=guest.launch.job, reason=str(error))


def origin_of(node: Node, guest: Guest, now: Millis) -> Origin:
    """Return where a snapshot of *guest* that is made *now* comes from."""
    launch = guest.launch
    parent = launch.thaw_from.id if launch.thaw_from else ""
    return replace(
        origin_here(now, engine_of(guest)),
        machine=node.machine,
        image=launch.spec.image,
        job=launch.job,
        fence=launch.fence,
        parent=parent,
    )


def on_watch(node: Node, guest: Guest, now: Millis) -> None:
    """If the workload says that it has saved itself, take a snapshot of that; at most one at a time."""
    if guest.phase is not Phase.RUNNING or guest.is_saving or not guest.may_save:
        return
    lines = guest.saves.new_lines()
    step = whole_number(lines[-1], "step") if lines else None
    if step is None:
        return
    guest.is_saving = True
    name, run_ms = guest.next_snapshot(), guest.run_ms(now)
    node.background.submit(
        NORMAL,
        lambda: take_saved(node, guest, name, run_ms, step),
        lambda result: _on_saved(node, guest, step, now, result),
        mishaps.of(node, guest),
    )


def _on_saved(node: Node, guest: Guest, step: int, since: Millis, result: Snapshot | Problem) -> None:
    guest.is_saving = False
    launch = guest.launch
    if not isinstance(result, Snapshot):
        node.log.info("agent.save_skipped", job=launch.job, fence=launch.fence, reason=str(result))
        return
    guest.saved_at, guest.saved_bytes = since, result.bytes
    if guest.key in node.guests:
        took = Millis(node.clock.now() - since)
        _, total = guest.told
        node.reports.add(
            Progressed(job=launch.job, fence=launch.fence, step=step, total=total, saved=result, save_ms=took)
        )

"""From the command to the running process."""

import shutil
from typing import TypeVar

from idleq.ids import Millis
from idleq.machines import obstacles
from idleq.migration import snapshot
from idleq.migration.errors import (
    EngineMissing,
    ImageMissing,
    MountRefused,
    ProgramMissing,
    SnapshotDamaged,
    SnapshotUnfit,
    StartFailed,
    ThawFailed,
)
from idleq.migration.manifest import Manifest, needs_of
from idleq.migration.ports import Order
from idleq.scheduler.agent import closing, mishaps, saves, saving
from idleq.scheduler.agent.background import NORMAL
from idleq.scheduler.agent.decide import Cause, Phase, Stop
from idleq.scheduler.agent.errors import InputsGone
from idleq.scheduler.agent.folders import PRIVATE, Folders, segment_text
from idleq.scheduler.agent.guest import Guest
from idleq.scheduler.agent.node import Node
from idleq.scheduler.agent.ordering import order_of
from idleq.scheduler.agent.outcome import KILLED
from idleq.scheduler.agent.room import Share
from idleq.scheduler.agent.staged import bring
from idleq.scheduler.core.abilities import can_freeze
from idleq.scheduler.core.commands import Launch
from idleq.scheduler.core.inputs import CommandFailed, Exited, Launched, SnapshotRejected
from idleq.scheduler.core.snapshot import Snapshot
from idleq.scheduler.core.submission import FreezeMethod

T = TypeVar("T")

Trouble = SnapshotDamaged | ThawFailed | StartFailed | MountRefused | OSError

FROM_OUTSIDE = frozenset({FreezeMethod.CRIU, FreezeMethod.AUTO})

NOT_SHOWN = 77
"""The code of a segment that would have been shown what it may not see (sysexits' EX_NOPERM)."""

NO_INPUT = 66
"""The code of a segment whose inputs are gone (sysexits' EX_NOINPUT)."""


def on_launch(node: Node, command: Launch, leave_reason: str) -> None:
    """Begin a segment, as soon as there is room; one that is here already goes on, and of one that was here its end is told again."""
    key = command.job, command.fence
    if key in node.guests or key in node.waiting:
        return
    if end := node.reports.ends.get(key):
        node.reports.add(end)
    elif leave_reason:
        _refuse(node, command, leave_reason)
    elif not command.spec.resources.fits_in(node.room.resources):
        _refuse(node, command, f"{command.spec.resources} is more than there is: {node.room.resources}")
    else:
        node.waiting[key] = command
        seat(node)


def seat(node: Node) -> None:
    """Begin those that wait, in the order in which they came, as far as there is room; send back those whose time is up."""
    while node.waiting:
        key, command = next(iter(node.waiting.items()))
        if is_too_late(command, node.clock.now()):
            send_back(node, command, "the gap ends")
            continue
        share = node.room.take(key, command.spec.resources)
        if share is None:
            return
        del node.waiting[key]
        _begin(node, command, share)


def is_too_late(command: Launch, now: Millis) -> bool:
    """Whether a segment that began now would have to end at once."""
    end = command.plan.ends_at if command.plan.freeze_at is None else command.plan.freeze_at
    return end is not None and now >= end


def send_back(node: Node, command: Launch, reason: str) -> None:
    """One that waited for room will not start here; nothing is lost by it."""
    node.waiting.pop((command.job, command.fence), None)
    node.reports.add(
        Exited(
            job=command.job,
            fence=command.fence,
            code=KILLED,
            at=node.clock.now(),
            cause="agent",
            reason=f"{reason}, and it had not started",
        )
    )


def _begin(node: Node, command: Launch, share: Share) -> None:
    key = command.job, command.fence
    try:
        folders = _prepare(node, command)
    except OSError as error:
        node.room.give_back(key)
        _refuse(node, command, f"cannot prepare the segment's folders: {error}")
        return
    is_enclosed = command.spec.freeze in FROM_OUTSIDE and can_freeze(node.abilities, command.spec)
    guest = Guest(command, folders, share, taken_at=node.clock.now(), plan=command.plan, is_enclosed=is_enclosed)
    node.guests[key] = guest
    thaw_from = command.thaw_from
    if thaw_from is None:
        with mishaps.kept_to(node, guest):
            _start(node, guest, thaw_ms=Millis(0))
    else:
        node.arrivals.submit(
            NORMAL,
            lambda: _thaw(node, guest, thaw_from),
            lambda problem: _on_thawed(node, guest, thaw_from, problem),
            mishaps.of(node, guest),
        )


def _prepare(node: Node, launch: Launch) -> Folders:
    job = node.paths.job(launch.job)
    segment = job.segment(launch.fence).root
    if launch.fence == 1:
        # From the top: trying first what cannot succeed yet would take longer than very short jobs run.
        job.root.mkdir(mode=PRIVATE, parents=True, exist_ok=True)
        job.segments.mkdir(mode=PRIVATE, exist_ok=True)
    segment.mkdir(mode=PRIVATE, parents=True, exist_ok=True)
    folders = node.scratch.take()
    try:
        folders.segment_file.write_text(segment_text(launch.fence, launch.plan, launch.spec), encoding="utf-8")
    except OSError:
        folders.remove()  # a disk that is full would be left with one more set of them at every launch
        raise
    return folders


def _thaw(node: Node, guest: Guest, thaw_from: Snapshot) -> Trouble | Stop | Manifest:
    """In the background: fill the guest's folders with what was frozen, and let its processes go on if they are in it.

    Return what was in it, what went wrong, or why it is not to live any more.
    """
    if guest.stop is not None:
        return guest.stop
    where, images = node.paths.job(guest.launch.job).snapshot(thaw_from.id), guest.folders.images
    try:
        check_fit(node, guest, thaw_from)
        images.mkdir(mode=PRIVATE)
        manifest = snapshot.restore(where.root, thaw_from.digest, saves.places(guest.folders), node.packer.keys)
        if manifest.kind == saving.FROM_OUTSIDE:
            _bring_inputs(node, guest)
            if guest.stop is not None:  # said while its memory was read
                return guest.stop
            node.runtime.thaw(order_for(node, guest), images)
        shutil.rmtree(images, ignore_errors=True)
    except (SnapshotDamaged, ThawFailed, StartFailed, MountRefused, OSError) as error:
        return _stop_or(error, guest)
    return manifest


def _stop_or(trouble: T, guest: Guest) -> T | Stop:
    """Return what went wrong with *guest*: where it was killed meanwhile, that, and neither this node nor its snapshot has a part in it."""
    return trouble if guest.stop is None else guest.stop


def check_fit(node: Node, guest: Guest, thaw_from: Snapshot) -> None:
    """Raise SnapshotUnfit, which says why, if this machine is no place for it: by its own manifest, whatever the daemon knew.

    Raises:
        SnapshotDamaged: it has no manifest that could say so.
    """
    launch = guest.launch
    manifest = snapshot.read_manifest(node.paths.job(launch.job).snapshot(thaw_from.id).root, thaw_from.digest)
    if manifest.origin is None:
        raise SnapshotDamaged(f"snapshot {thaw_from.id} does not say where it comes from")
    needs = needs_of(manifest.kind, manifest.origin, is_reproducible=launch.spec.reproducible)
    if reasons := obstacles(needs, node.machine, launch.spec.image):
        raise SnapshotUnfit(f"snapshot {thaw_from.id} cannot be thawed here: {'; '.join(reasons)}")


def _on_thawed(node: Node, guest: Guest, thaw_from: Snapshot, result: Trouble | Stop | Manifest) -> None:
    launch, thaw_ms = guest.launch, Millis(node.clock.now() - guest.taken_at)
    match result:
        case SnapshotDamaged() | ThawFailed():
            node.log.warning("agent.snapshot_rejected", job=launch.job, snapshot=thaw_from.id, reason=str(result))
            rejected = SnapshotRejected(
                job=launch.job,
                fence=launch.fence,
                snapshot=thaw_from.id,
                reason=str(result),
                is_whole=isinstance(result, ThawFailed),
            )
            node.finish(guest, rejected)
        case MountRefused():
            node.finish(guest, _exited(guest, node.clock.now(), NOT_SHOWN, "workload", str(result)))
        case InputsGone():
            node.finish(guest, _exited(guest, node.clock.now(), NO_INPUT, "workload", str(result)))
        case OSError() | StartFailed():
            _fail(node, guest, f"cannot thaw: {result}", result)
        case Stop():
            node.finish(guest, _exited(guest, node.clock.now(), KILLED, "agent", result.reason))
        case Manifest(kind=saving.FROM_OUTSIDE):
            guest.saves.new_lines()  # told before it was frozen
            _is_running(node, guest, thaw_ms)
        case _:
            _start(node, guest, thaw_ms=thaw_ms)


def _start(node: Node, guest: Guest, thaw_ms: Millis) -> None:
    if not guest.launch.spec.image and guest.launch.spec.inputs is None:
        _on_started(node, guest, thaw_ms, _try_to_start(node, guest))
    else:
        # An engine or a copy takes its time, and one that hangs would keep the loop from hearing that the node is wanted.
        node.arrivals.submit(
            NORMAL,
            lambda: _try_to_start(node, guest),
            lambda trouble: _on_started(node, guest, thaw_ms, trouble),
            mishaps.of(node, guest),
        )


def _try_to_start(node: Node, guest: Guest) -> StartFailed | Stop | None:
    if guest.stop is not None:
        return guest.stop
    try:
        _bring_inputs(node, guest)
        node.runtime.start(order_for(node, guest))
    except StartFailed as trouble:
        return _stop_or(trouble, guest)
    return None


def _bring_inputs(node: Node, guest: Guest) -> None:
    """Raise InputsGone if they are not there any more, StartFailed if this node cannot take them."""
    inputs = guest.launch.spec.inputs
    if inputs is not None:
        try:
            bring(inputs, node.paths.input(inputs.id), guest.folders)
        except OSError as error:
            raise StartFailed(f"its inputs cannot be copied to this node: {error}") from error


def _on_started(node: Node, guest: Guest, thaw_ms: Millis, trouble: StartFailed | Stop | None) -> None:
    now = node.clock.now()
    match trouble:
        case None:
            _is_running(node, guest, thaw_ms)
        case Stop():
            node.finish(guest, _exited(guest, now, KILLED, "agent", trouble.reason))
        case ProgramMissing():
            node.finish(guest, _exited(guest, now, trouble.code, "workload", str(trouble)))
        case MountRefused():
            node.finish(guest, _exited(guest, now, NOT_SHOWN, "workload", str(trouble)))
        case InputsGone():
            node.finish(guest, _exited(guest, now, NO_INPUT, "workload", str(trouble)))
        case StartFailed():
            _fail(node, guest, str(trouble), trouble)


def _is_running(node: Node, guest: Guest, thaw_ms: Millis) -> None:
    launch, now = guest.launch, node.clock.now()
    guest.phase, guest.started_at, guest.saved_at = Phase.RUNNING, now, now
    node.reports.add(Launched(job=launch.job, fence=launch.fence, at=now, thaw_ms=thaw_ms))
    if guest.early_end is not None:
        closing.on_ended(node, guest, guest.early_end)
    elif guest.stop is not None:
        node.runtime.kill([guest.name])


def order_for(node: Node, guest: Guest) -> Order:
    """Return what is asked of the runtime: to start the guest, or to let it go on.

    Raises:
        MountRefused, StartFailed: as `ordering.order_of` does.
    """
    segment = node.paths.job(guest.launch.job).segment(guest.launch.fence)
    return order_of(guest, segment, node.environment, node.settings.mount_roots)


def _fail(node: Node, guest: Guest, reason: str, trouble: OSError | StartFailed) -> None:
    _refuse(node, guest.launch, reason, image_missing=isinstance(trouble, ImageMissing | EngineMissing))
    node.clear(guest)


def _refuse(node: Node, launch: Launch, reason: str, *, image_missing: bool = False) -> None:
    node.log.warning("agent.launch_failed", job=launch.job, fence=launch.fence, reason=reason)
    node.reports.add(CommandFailed(command=launch.id, reason=reason, transient=True, image_missing=image_missing))


def _exited(guest: Guest, now: Millis, code: int, cause: Cause, reason: str) -> Exited:
    return Exited(job=guest.launch.job, fence=guest.launch.fence, code=code, at=now, cause=cause, reason=reason)

"""`idleq snapshot`: what jobs can go on from."""

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from idleq.cli.commands.jobs import JobArgument, named
from idleq.cli.options import IdleqCommand, IdleqGroup, session_of
from idleq.cli.result import Result, Table
from idleq.cli.wording import clock_time, counted, size, span
from idleq.ids import JobId, SnapshotId

if TYPE_CHECKING:
    from idleq.cli.session import Session
    from idleq.migration.manifest import Manifest
    from idleq.scheduler.core.rows import SnapshotRow

snapshot_app = typer.Typer(
    cls=IdleqGroup, no_args_is_help=True, rich_markup_mode=None, help="Look after what jobs can go on from."
)

SnapshotArgument = Annotated[
    str | None, typer.Argument(metavar="SNAPSHOT", show_default=False, help="Which one [default: the job's newest].")
]
OneJob = Annotated[str | None, typer.Argument(metavar="JOB", show_default=False, help="Only those of this job.")]


@snapshot_app.command("ls", cls=IdleqCommand)
def ls(context: typer.Context, job: OneJob = None) -> Result:
    """List the snapshots of jobs that have no result yet."""
    session = session_of(context)
    rows = rows_of(session, None if job is None else named(job))
    text = (snapshots_table(rows, session.now()), f"{size(sum(row.snapshot.bytes for row in rows))} in all.")
    return Result(value=rows, text=text if rows else ("There are no snapshots.",), ids=tuple(map(name_of, rows)))


@snapshot_app.command("show", cls=IdleqCommand)
def show(context: typer.Context, job: JobArgument, snapshot: SnapshotArgument = None) -> Result:
    """Tell all about one snapshot, by its manifest."""
    from idleq.migration.snapshot import read_manifest

    session = session_of(context)
    row = row_of(session, named(job), snapshot)
    manifest = read_manifest(session.paths.job(row.job).snapshot(row.snapshot.id).root, row.snapshot.digest)
    value = {"snapshot": row, "manifest": asdict(manifest)}
    return Result(value=value, text=(described(row, manifest),), ids=(name_of(row),))


@snapshot_app.command("verify", cls=IdleqCommand)
def verify(context: typer.Context, job: OneJob = None, snapshot: SnapshotArgument = None) -> Result:
    """Read every byte of snapshots, as a thaw would; the exit code is 34 if any is damaged.

    Without JOB all of them.
    """
    from idleq.migration.errors import SnapshotDamaged

    session = session_of(context)
    rows = (
        [row_of(session, named(job), snapshot)]
        if job and snapshot
        else rows_of(session, None if job is None else named(job))
    )
    found = still_there(session, [verified(session, row) for row in rows])
    damaged = [one for one in found if not one.is_good]
    table = Table(
        columns=("JOB", "SNAPSHOT", "HEALTH", "FOUND"),
        rows=[(one.job, one.snapshot, "ok" if one.is_good else "damaged", one.found) for one in found],
        elastic="FOUND",
    )
    verdict = f"{counted(len(found) - len(damaged), 'snapshot')} verified, {len(damaged)} damaged."
    return Result(
        value=found,
        text=(table, verdict) if found else ("There are no snapshots.",),
        ids=tuple(f"{one.job}/{one.snapshot}" for one in damaged),
        code=SnapshotDamaged.exit_code if damaged else 0,
    )


@snapshot_app.command("rm", cls=IdleqCommand)
def rm(
    context: typer.Context,
    job: JobArgument,
    snapshot: Annotated[str, typer.Argument(metavar="SNAPSHOT", help="Which one.")],
) -> Result:
    """Remove a snapshot; not the last one that a job can go on from."""
    from idleq.migration import snapshot as snapshots

    session, name = session_of(context), named(job)
    where = session.paths.job(name).snapshot(SnapshotId(snapshot)).root
    session.client().remove_snapshot(name, SnapshotId(snapshot))
    snapshots.remove(where)
    return Result(
        value={"removed": [f"{name}/{snapshot}"]},
        text=(f"Removed {snapshot} of job {name}",),
        ids=(f"{name}/{snapshot}",),
    )


@snapshot_app.command("drill", cls=IdleqCommand)
def drill(
    context: typer.Context,
    job: JobArgument,
    snapshot: SnapshotArgument = None,
    seconds: Annotated[float, typer.Option(min=0.1, help="For its first steps, and again for saving itself.")] = 60.0,
) -> Result:
    """Thaw a copy of a snapshot on this machine, see that its program goes on, and throw the copy away.

    The job itself is not touched: one that may write to mounts is not drilled. The exit code is 81 if the program does not go on.
    """
    from idleq import bootstrap
    from idleq.cli.errors import DrillFailed

    session, name = session_of(context), named(job)
    row = row_of(session, name, snapshot)
    detail = session.client().job(name).job
    assert detail is not None  # it has a snapshot, so it is one job
    came = bootstrap.drill_snapshot(session.paths, name, detail.spec, row.snapshot, seconds)
    text = f"{name_of(row)}: {came.found}" + (f"\n\n{came.errors}" if came.errors else "")
    return Result(
        value=came,
        text=(text,),
        ids=(name_of(row),) if came.is_good else (),
        code=0 if came.is_good else DrillFailed.exit_code,
    )


@dataclass(frozen=True, slots=True)
class Verified:
    """What a look at every byte of a snapshot has shown."""

    job: JobId
    snapshot: SnapshotId
    is_good: bool
    found: str


def verified(session: "Session", row: "SnapshotRow") -> Verified:
    """Read all of one."""
    from idleq.migration.errors import SnapshotDamaged
    from idleq.migration.snapshot import verify as read_all

    taken = row.snapshot
    try:
        manifest = read_all(session.paths.job(row.job).snapshot(taken.id).root, taken.digest)
    except SnapshotDamaged as error:
        return Verified(row.job, taken.id, is_good=False, found=str(error))
    return Verified(
        row.job, taken.id, is_good=True, found=f"{counted(len(manifest.files), 'file')}, {size(taken.bytes)}"
    )


def still_there(session: "Session", found: list[Verified]) -> list[Verified]:
    """Return *found* without those that only seem damaged: newer ones have taken their place while they were read."""
    if all(one.is_good for one in found):
        return found
    known = {(row.job, row.snapshot.id) for row in rows_of(session, None)}
    return [one for one in found if one.is_good or (one.job, one.snapshot) in known]


def rows_of(session: "Session", job: JobId | None) -> list["SnapshotRow"]:
    """Return the snapshots of *job*, of all jobs if it is None."""
    return [row for row in session.client().snapshots().snapshots if job is None or row.job == job]


def row_of(session: "Session", job: JobId, snapshot: str | None) -> "SnapshotRow":
    """Return one snapshot, the newest if none is named; raise UnknownTarget if there is no such one."""
    from idleq.scheduler.errors import UnknownTarget

    rows = rows_of(session, job)
    found = [row for row in rows if row.snapshot.id == snapshot or (snapshot is None and row.is_newest)]
    if not found:
        raise UnknownTarget(
            f"job {job} has no snapshot{'' if snapshot is None else ' ' + snapshot}; `idleq snapshot ls` lists all"
        )
    return found[0]


def name_of(row: "SnapshotRow") -> str:
    """Return what one is called where only a name is printed."""
    return f"{row.job}/{row.snapshot.id}"


def snapshots_table(rows: list["SnapshotRow"], now: int) -> Table:
    """Return one line per snapshot."""
    return Table(
        columns=("JOB", "NAME", "SNAPSHOT", "SIZE", "AGE", "WORK", "STEP", "USE"),
        rows=[
            (
                row.job,
                row.name,
                row.snapshot.id,
                size(row.snapshot.bytes),
                span(max(0, now - row.snapshot.taken_at)),
                span(row.snapshot.run_ms),
                str(row.snapshot.step or "-"),
                use_of(row),
            )
            for row in rows
        ],
        right=frozenset({"SIZE", "AGE", "WORK", "STEP"}),
        expendable=("NAME", "STEP", "WORK"),
    )


def use_of(row: "SnapshotRow") -> str:
    """Return what a snapshot is to its job."""
    if row.in_use:
        return "in use"
    if row.is_over:
        return "its job is over"
    return "newest" if row.is_newest else "to fall back to"


def described(row: "SnapshotRow", manifest: "Manifest") -> str:
    """Return the lines of `show`."""
    origin, taken = manifest.origin, row.snapshot
    lines = [
        ("snapshot", f"{taken.id} of job {row.job} ({row.name}): {use_of(row)}"),
        (
            "taken",
            f"at {clock_time(taken.taken_at)} by segment {taken.fence}, after {span(taken.run_ms)} of work, at step {taken.step}",
        ),
        (
            "holds",
            f"{counted(len(manifest.files), 'file')} of {size(manifest.bytes)}, stored in {size(manifest.stored)}",
        ),
        ("kind", manifest.kind),
        ("compression", manifest.compression or "none"),
        ("encryption", f"{manifest.encryption}, key {manifest.key}" if manifest.encryption else "none"),
    ]
    if origin is not None:
        machine = origin.machine
        lines += [
            ("made on", f"{machine.architecture}, kernel {machine.kernel}, CPU class {machine.cpu or 'unknown'}"),
            ("runtime", origin.runtime or "none"),
            *((("image", origin.image),) if origin.image else ()),
            *((("GPU", machine.gpu),) if machine.gpu else ()),
            *((("criu", machine.criu),) if machine.criu else ()),
            ("thawed from", origin.parent or "nothing: its segment began anew"),
        ]
    return "\n".join(f"{name:<12} {text}" for name, text in lines)

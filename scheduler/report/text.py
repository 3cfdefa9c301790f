"""The report as a short text for a terminal or a mail."""

from collections.abc import Iterable, Iterator, Sequence

from idleq.scheduler.report.report import Report
from idleq.scheduler.report.wording import NOTHING, core_time, count, date_and_time, duration, percent, plain

MOST_JOBS = 20
"""More rows than this belong in the page or the JSON form."""

MOST_HARM = 10

_HARM_HEADINGS = ("main job", "nodes", "waited", "bound", "started (UTC)")
_HEADINGS = ("job", "name", "state", "segments", "moves", "useful", "overhead", "waited", "turnaround", "stretch")


def render(report: Report) -> str:
    """Return the report as text that ends with a line end."""
    parts = (_head(report), _shares(report), _areas(report), _gaps(report), _harm(report), _jobs(report))
    return "\n\n".join("\n".join(part) for part in parts) + "\n"


def _head(report: Report) -> Iterator[str]:
    length = duration(report.until_ms - report.since_ms)
    yield f"idleq report: {date_and_time(report.since_ms)} to {date_and_time(report.until_ms)} UTC ({length})"
    yield f"{count(report.nodes, 'node')}, {count(report.peak_cores, 'core')}, {count(report.facts, 'fact')} of the journal"


def _shares(report: Report) -> Iterator[str]:
    use = report.utilisation
    yield "Utilisation"
    yield f"  by main jobs alone  {percent(use.main_share):>8}"
    yield f"  with guests         {percent(use.with_guests_share):>8}  all that anybody held"
    yield f"  effective           {percent(use.effective_share):>8}  main jobs, and guest progress that survived"
    yield f"  harvested           {percent(use.harvest_share):>8}  of what the gaps could have given"


def _areas(report: Report) -> Iterator[str]:
    use = report.utilisation
    yield f"Where the capacity went ({core_time(use.capacity_core_s)})"
    areas = [
        ("main jobs", use.main_core_s),
        ("useful guest work", use.useful_core_s),
        ("not yet saved", use.unsaved_core_s),
        ("overhead", use.overhead_core_s),
        ("idle", use.idle_core_s),
    ]
    for name, area in areas:
        share = percent(area / use.capacity_core_s if use.capacity_core_s else None)
        yield f"  {name:<18}  {core_time(area, use.capacity_core_s):>16}  {share:>8}"
    over = use.overhead
    yield (
        f"  of the overhead: starting {core_time(over.start_core_s, use.overhead_core_s)}, thawing {core_time(over.thaw_core_s, use.overhead_core_s)}, "
        f"saving {core_time(over.save_core_s, use.overhead_core_s)}, freezing {core_time(over.freeze_core_s, use.overhead_core_s)}, "
        f"repeated {core_time(over.repeated_core_s, use.overhead_core_s)}, discarded {core_time(over.discarded_core_s, use.overhead_core_s)}"
    )
    if use.crowded_core_s:
        yield f"  guests seen where main jobs already were: {core_time(use.crowded_core_s)} (counted nowhere above)"


def _gaps(report: Report) -> Iterator[str]:
    gaps = report.gaps
    yield f"Gaps: {gaps.gaps:,}, median {duration(gaps.median_ms)}, longest {duration(gaps.longest_ms)}"
    source = "measured" if gaps.is_measured else "by the policy where not measured"
    yield f"  a freeze took {duration(gaps.freeze_ms)}, a thaw {duration(gaps.thaw_ms)} ({source})"
    yield f"  tail waste: {core_time(gaps.tail_waste_core_s, gaps.idle_core_s)} after the last guest had left"
    for row in gaps.closings:
        yield f"  {row.closing:<20}  {row.gaps:>6,}  {core_time(row.idle_core_s, gaps.idle_core_s):>16}"


def _harm(report: Report) -> Iterator[str]:
    harm = report.harm
    if not harm.main_jobs:
        yield "Harm: none; no main job started where guests had to leave"
        return
    yield (
        f"Harm: {count(harm.main_jobs, 'main job')} started where guests had to leave; {harm.waited:,} waited, "
        f"{duration(harm.waited_ms_mean)} on average, {duration(harm.waited_ms_max)} at most; "
        f"{harm.over_bound:,} over the bound; {count(harm.guests_alive, 'guest')} still alive; backed off {count(harm.back_offs, 'time')}"
    )
    longest = sorted(harm.rows, key=lambda row: row.waited_ms, reverse=True)[:MOST_HARM]
    rows = [
        (
            plain(row.main_job),
            str(len(row.nodes)),
            duration(row.waited_ms),
            duration(row.bound_ms),
            date_and_time(row.at_ms),
        )
        for row in longest
    ]
    yield from _table([_HARM_HEADINGS, *rows], words=1)
    if len(harm.rows) > MOST_HARM:
        yield f"  ... and {len(harm.rows) - MOST_HARM:,} that waited no longer: see the page or --json"


def _jobs(report: Report) -> Iterator[str]:
    yield (
        f"Jobs: {len(report.jobs):,} started, {report.jobs_not_started:,} not yet, "
        f"{report.jobs_cancelled_unstarted:,} cancelled before they started; "
        f"{count(report.segments, 'segment')}, {count(report.freezes, 'freeze')}, {count(report.moves, 'move')}"
    )
    rows = [
        (
            job.job,
            plain(job.name),
            job.state,
            str(job.segments),
            str(job.moves),
            core_time(job.useful_core_s),
            core_time(job.overhead_core_s),
            duration(job.waiting_ms),
            duration(job.turnaround_ms),
            NOTHING if job.stretch is None else f"{job.stretch:.2f}",
        )
        for job in report.jobs[:MOST_JOBS]
    ]
    if rows:
        yield from _table([_HEADINGS, *rows])
    if len(report.jobs) > MOST_JOBS:
        yield f"  ... and {len(report.jobs) - MOST_JOBS:,} more: see the page or --json"


def _table(rows: Sequence[Sequence[str]], words: int = 3) -> Iterable[str]:
    """Lay out *rows*, of which the first *words* columns are words and the others numbers."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (
            cell.ljust(width) if place < words else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        yield "  " + "  ".join(cells).rstrip()

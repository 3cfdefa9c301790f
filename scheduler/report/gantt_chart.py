"""The shapes of the Gantt chart, ready to be drawn."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from idleq.scheduler.report.axis import WIDTH, Mark, TimeScale
from idleq.scheduler.report.gantt import Gantt, GanttRow, GuestStretch, Move
from idleq.scheduler.report.segment import Ending, Kind
from idleq.scheduler.report.wording import count, duration, plain, time_of_day

COLOURS = 8
"""Colours for jobs; more jobs than that share them."""

_TOP = 8
_ROW_HEIGHTS = ((12, 40), (30, 26), (80, 14), (300, 5))
"""Up to so many rows, so high is each."""

_LABELLED_ROWS = 60
_TEXT_HEIGHT = 11
_CHARACTER = 6.2
_MANY_MOVES = 40
_MARK_HEIGHT = 9

_TINT = {
    Kind.USEFUL: "work",
    Kind.UNSAVED: "work unsaved",
    Kind.REPEATED: "work lost",
    Kind.DISCARDED: "work lost",
    Kind.START: "thaw",
    Kind.THAW: "thaw",
    Kind.SAVE: "freeze",
    Kind.FREEZE: "freeze",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """A rectangle with a tip; *label* is what fits inside."""

    x: float
    y: float
    width: float
    height: float
    style: str
    label: str = ""
    tip: str = ""


@dataclass(frozen=True, slots=True)
class Sign:
    """A small sign at a segment's start or end: thaw, freeze, lost or done."""

    x: float
    y: float
    style: str


@dataclass(frozen=True, slots=True)
class Line:
    """A move: from where a job left to where it went on."""

    path: str
    style: str
    tip: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GanttChart:
    """All rows, from the top down."""

    width: int
    height: float
    floor: float
    tracks: list[Box]
    labels: list[Mark]
    boxes: list[Box]
    guests: list[Box]
    signs: list[Sign]
    lines: list[Line]
    times: list[Mark]


@dataclass(frozen=True, slots=True)
class _Canvas:
    scale: TimeScale
    height: float
    pitch: float
    colours: dict[str, int]

    def box(self, row: int, since: int, until: int, low: float, high: float, **words: str) -> Box:
        """Return a box over the shares *low* to *high* of the row's height."""
        left, right = self.scale.x(since), self.scale.x(until)
        return Box(
            x=left,
            y=round(self.top(row) + low * self.height, 2),
            width=round(max(right - left, 0.4), 2),
            height=round((high - low) * self.height, 2),
            style=words.get("style", ""),
            label=words.get("label", ""),
            tip=words.get("tip", ""),
        )

    def top(self, row: int) -> float:
        return _TOP + row * self.pitch

    def colour(self, job: str) -> str:
        return f"j{self.colours.setdefault(job, len(self.colours)) % COLOURS}"


def gantt_chart(gantt: Gantt, since_ms: int, until_ms: int) -> GanttChart:
    """Lay out *gantt*."""
    rows = gantt.rows
    height = next((high for most, high in _ROW_HEIGHTS if len(rows) <= most), _ROW_HEIGHTS[-1][1])
    canvas = _Canvas(TimeScale(since_ms, until_ms), height, height + (6 if height > _TEXT_HEIGHT else 1), {})
    floor = canvas.top(len(rows))
    every = -(-len(rows) // _LABELLED_ROWS) or 1
    return GanttChart(
        width=WIDTH,
        height=floor + 26,
        floor=floor,
        tracks=[canvas.box(place, since_ms, until_ms, 0, 1, tip=_name(row)) for place, row in enumerate(rows)],
        labels=[
            Mark(canvas.top(place) + height / 2, _short(row.node))
            for place, row in enumerate(rows)
            if place % every == 0
        ],
        boxes=[box for place, row in enumerate(rows) for box in _backdrop(canvas, place, row)],
        guests=[box for place, row in enumerate(rows) for box in _guests(canvas, place, row)],
        signs=[sign for place, row in enumerate(rows) for sign in _signs(canvas, place, row)],
        lines=list(_lines(canvas, gantt.moves, rows)),
        times=canvas.scale.marks(),
    )


def _name(row: GanttRow) -> str:
    return plain(row.node) if row.nodes == 1 else f"{plain(row.node)} to {plain(row.last_node)}"


def _short(label: str) -> str:
    longest = 9
    shown = plain(label)
    return shown if len(shown) <= longest else "…" + shown[1 - longest :]


def _fitting(label: str, box: Box) -> str:
    return label if box.height >= _TEXT_HEIGHT and len(label) * _CHARACTER + 6 <= box.width else ""


def _backdrop(canvas: _Canvas, place: int, row: GanttRow) -> Iterable[Box]:
    for since, until in row.down:
        tip = f"{_name(row)}: nothing may be started here"
        yield canvas.box(place, since, until, 0, 1, style="down", tip=tip)
    for main in row.main:
        name = plain(main.main_job) or "main jobs"
        tip = f"{_name(row)}: {name}, {count(main.cores, 'core')}, {duration(main.until_ms - main.since_ms)}"
        low = 1 - main.cores / max(row.cores, main.cores)
        box = canvas.box(place, main.since_ms, main.until_ms, low, 1, style="main", tip=tip)
        yield replace(box, label=_fitting(name, box))
    for part in row.coarse:
        tip = f"{_name(row)}: mostly {part.role}"
        yield canvas.box(place, part.since_ms, part.until_ms, 0, 1, style=f"coarse {part.role}", tip=tip)


def _shares(row: GanttRow, guest: GuestStretch) -> tuple[float, float]:
    cores = max(row.cores, 1)
    return min(guest.lane / cores, 1), min((guest.lane + guest.cores) / cores, 1)


def _guests(canvas: _Canvas, place: int, row: GanttRow) -> Iterable[Box]:
    for guest in row.guests:
        low, high = _shares(row, guest)
        colour = canvas.colour(guest.job)
        for phase in guest.phases:
            style = f"guest {colour} {_TINT[Kind(phase.kind)]}"
            yield canvas.box(place, phase.since_ms, phase.until_ms, low, high, style=style)
        whole = canvas.box(place, guest.since_ms, guest.until_ms, low, high)
        label = _fitting(f"job {guest.job}", whole) or _fitting(guest.job, whole)
        tip = _tip(row, guest)
        yield canvas.box(
            place, guest.since_ms, guest.until_ms, low, high, style=f"outline {colour}", label=label, tip=tip
        )


def _tip(row: GanttRow, guest: GuestStretch) -> str:
    spent: dict[str, int] = {}
    for phase in guest.phases:
        spent[phase.kind] = spent.get(phase.kind, 0) + phase.until_ms - phase.since_ms
    parts = ", ".join(f"{kind} {duration(ms)}" for kind, ms in spent.items())
    reason = f" ({plain(guest.reason)})" if guest.reason and guest.reason != guest.ending else ""
    return (
        f"job {guest.job}, segment {guest.fence} on {_name(row)}, {count(guest.cores, 'core')}, "
        f"from {time_of_day(guest.since_ms, 1000)}: {parts}; {guest.ending}{reason}"
    )


_END_SIGNS = {
    Ending.FROZEN: "frozen",
    Ending.LOST: "lost",
    Ending.FAILED: "lost",
    Ending.CANCELLED: "lost",
    Ending.DONE: "done",
}


def _signs(canvas: _Canvas, place: int, row: GanttRow) -> Iterable[Sign]:
    if canvas.height < _MARK_HEIGHT:
        return
    for guest in row.guests:
        low, high = _shares(row, guest)
        y = round(canvas.top(place) + (low + high) / 2 * canvas.height, 2)
        if any(phase.kind == Kind.THAW for phase in guest.phases):
            yield Sign(canvas.scale.x(guest.since_ms), y, "thawed")
        sign = _END_SIGNS.get(Ending(guest.ending))
        if sign is not None:
            yield Sign(canvas.scale.x(guest.until_ms), y, sign)


def _lines(canvas: _Canvas, moves: Sequence[Move], rows: Sequence[GanttRow]) -> Iterable[Line]:
    places = {(row, guest.job, guest.fence): guest for row, line in enumerate(rows) for guest in line.guests}
    for move in moves:
        left = places[move.from_row, move.job, move.from_fence]
        came = places[move.to_row, move.job, move.to_fence]
        x1, y1 = canvas.scale.x(left.until_ms), _middle(canvas, move.from_row, rows[move.from_row], left)
        x2, y2 = canvas.scale.x(came.since_ms), _middle(canvas, move.to_row, rows[move.to_row], came)
        weight = "move faint" if len(moves) > _MANY_MOVES else "move"
        bend = max(abs(x2 - x1) / 2, 8)
        yield Line(
            f"M{x1:g} {y1:g}C{x1 + bend:g} {y1:g} {x2 - bend:g} {y2:g} {x2:g} {y2:g}",
            f"{weight} {canvas.colour(move.job)}",
            f"job {move.job} moved from {_name(rows[move.from_row])} to {_name(rows[move.to_row])}, "
            f"{duration(came.since_ms - left.until_ms)} later",
        )


def _middle(canvas: _Canvas, place: int, row: GanttRow, guest: GuestStretch) -> float:
    low, high = _shares(row, guest)
    return round(canvas.top(place) + (low + high) / 2 * canvas.height, 2)

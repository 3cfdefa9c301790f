"""Numbers as people read them, and names made harmless for a terminal."""

from datetime import UTC, datetime

from idleq.scheduler.units import span_in_words

NOTHING = "-"
"""Where there is no number."""

_SECOND, _MINUTE, _HOUR, _DAY = 1000, 60_000, 3_600_000, 86_400_000
_FEW_CORE_HOURS_S = 10 * 3600
_LONGEST_NAME = 60


def duration(ms: float | None) -> str:
    """Return for example "1.8 s", "42 s", "3 min 20 s", "2 h 05 min" or "3 d 04 h"."""
    return NOTHING if ms is None else span_in_words(ms)


def percent(share: float | None) -> str:
    """Return for example "63.6 %"."""
    return NOTHING if share is None else f"{100 * share:.1f} %"


def core_time(core_s: float, whole_core_s: float | None = None) -> str:
    """Return for example "850 core-s" or "3.62 core-h": in the unit that suits the whole it is a part of (None: itself)."""
    if (core_s if whole_core_s is None else whole_core_s) < _FEW_CORE_HOURS_S:
        return f"{core_s:,.0f} core-s"
    return f"{core_s * _SECOND / _HOUR:,.2f} core-h"


def count(number: int, noun: str) -> str:
    """Return for example "1 move" or "1,200 moves"."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def date_and_time(ms: int) -> str:
    """Return the moment in UTC, to the second."""
    return _utc(ms).strftime("%Y-%m-%d %H:%M:%S")


def time_of_day(ms: int, step_ms: int) -> str:
    """Return the moment in UTC as finely as marks that are *step_ms* apart need it."""
    if step_ms >= _DAY:
        return _utc(ms).strftime("%d %b")
    return _utc(ms).strftime("%H:%M" if step_ms >= _MINUTE else "%H:%M:%S")


def plain(text: str) -> str:
    """Return *text* without control and direction characters, cut to a length that fits a table."""
    shown = "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)
    return shown if len(shown) <= _LONGEST_NAME else shown[: _LONGEST_NAME - 1] + "…"


def _utc(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / _SECOND, UTC)

"""Durations and sizes as people write and read them: "30s", "1h30m", "2G"."""

import re
from decimal import Decimal
from itertools import pairwise

from idleq.ids import Millis

DURATION_HELP = 'a duration like "30s", "5m", "1h30m" or "2d" (units: ms, s, m, h, d)'
SIZE_HELP = 'a size like "512M" or "2G" (units: B, K, M, G, T; 1K is 1024 bytes)'

_MILLIS = {"d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1000, "ms": 1}
_BYTES = {"T": 2**40, "G": 2**30, "M": 2**20, "K": 2**10, "B": 1}
_WORDS = {"d": "d", "h": "h", "m": "min", "s": "s"}
_FEW_SECONDS = 10_000
_NUMBER = r"(\d{1,18}(?:\.\d{1,9})?)"
_DURATION = re.compile(rf"(?:{_NUMBER}\s*(?:ms|s|m|h|d)\s*)+", re.ASCII)
_DURATION_PART = re.compile(rf"{_NUMBER}\s*(ms|s|m|h|d)", re.ASCII)
_SIZE = re.compile(rf"{_NUMBER}\s*(?:([KMGT])(?:iB)?|(B))", re.ASCII)


def parse_duration(text: str) -> Millis:
    """Return *text* in milliseconds; a bare number is refused, as nobody can tell its unit.

    Raises:
        ValueError: *text* is no duration; the message says what is.
    """
    if not _DURATION.fullmatch(text.strip()):
        raise ValueError(f"{text!r} is not {DURATION_HELP}")
    parts = _DURATION_PART.findall(text)
    return Millis(_whole(sum(Decimal(number) * _MILLIS[unit] for number, unit in parts), text, "milliseconds"))


def format_duration(duration: Millis) -> str:
    """Return *duration* (not negative) as `parse_duration` reads it, in the largest units: "1h30m"."""
    parts, rest = [], int(duration)
    for unit, millis in _MILLIS.items():
        count, rest = divmod(rest, millis)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"


def span(duration: float) -> str:
    """Return a duration in its two largest units, for tables: "42s", "5m10s", "3h20m", "2d4h"."""
    if duration < 0:
        return f"-{span(-duration)}"
    (large, unit), (small, below) = _largest_two(int(duration) // 1000)
    return f"{large}{unit}" + (f"{small}{below}" if small else "")


def span_in_words(duration: float) -> str:
    """Return a duration in its two largest units, for sentences: "1.84 s", "42 s", "3 min 20 s", "2 h 05 min", "3 d 04 h"."""
    if duration < _FEW_SECONDS:
        return f"{duration / 1000:.3g} s"
    (large, unit), (small, below) = _largest_two(round(duration / 1000))
    return f"{large} {_WORDS[unit]}" + (f" {small:02} {_WORDS[below]}" if small else "")


def parse_size(text: str) -> int:
    """Return *text* in bytes; K, M, G and T are powers of 1024, as in Slurm.

    Raises:
        ValueError: *text* is no size; the message says what is.
    """
    if (match := _SIZE.fullmatch(text.strip())) is None:
        raise ValueError(f"{text!r} is not {SIZE_HELP}")
    number, prefix, single = match.groups()
    return _whole(Decimal(number) * _BYTES[prefix or single], text, "bytes")


def format_size(size: int) -> str:
    """Return *size* (not negative) exactly, in the largest unit that divides it: "2G"."""
    unit = next(unit for unit, count in _BYTES.items() if size % count == 0) if size else "B"
    return f"{size // _BYTES[unit]}{unit}"


def _largest_two(seconds: int) -> tuple[tuple[int, str], tuple[int, str]]:
    """Return the count of the largest unit that fits and of the next smaller one; of seconds there is no smaller one."""
    units = [(unit, _MILLIS[unit] // 1000) for unit in ("d", "h", "m", "s")]
    for (unit, length), (below, shorter) in pairwise(units):
        if seconds >= length:
            return (seconds // length, unit), (seconds % length // shorter, below)
    return (seconds, "s"), (0, "s")


def _whole(amount: Decimal | int, text: str, unit: str) -> int:
    if amount != int(amount):
        raise ValueError(f"{text!r} is no whole number of {unit}")
    return int(amount)

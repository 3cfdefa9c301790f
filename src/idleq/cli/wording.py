"""Times, durations and amounts as people read them in a table."""

from datetime import datetime

from idleq.ids import Millis
from idleq.scheduler.core.resources import Resources

SECOND, MINUTE, HOUR, DAY = 1_000, 60_000, 3_600_000, 86_400_000


def span(duration: int) -> str:
    """Return a duration in its two largest units: "42s", "5m10s", "3h20m", "2d4h"."""
    if duration < 0:
        return f"-{span(-duration)}"
    if duration < MINUTE:
        return f"{duration // SECOND}s"
    for large, small, names in ((DAY, HOUR, "dh"), (HOUR, MINUTE, "hm"), (MINUTE, SECOND, "ms")):
        if duration >= large:
            rest = duration % large // small
            return f"{duration // large}{names[0]}" + (f"{rest}{names[1]}" if rest else "")
    raise AssertionError(duration)


def clock_time(at: Millis | int) -> str:
    """Return an instant as this machine's clock on the wall shows it."""
    return datetime.fromtimestamp(at / 1000).astimezone().strftime("%H:%M:%S")


def size(amount: int) -> str:
    """Return bytes in the largest unit of which there is one at least: "2G", "1.5G"."""
    for unit, count in (("T", 2**40), ("G", 2**30), ("M", 2**20), ("K", 2**10)):
        if amount >= count:
            return f"{amount / count:.1f}".removesuffix(".0") + unit
    return f"{amount}B"


def resources(amount: Resources) -> str:
    """Return "2 cores, 4G" and the GPUs, if there are any."""
    gpus = f", {amount.gpus} GPU{'s' * (amount.gpus != 1)}" if amount.gpus else ""
    return f"{amount.cores} core{'s' * (amount.cores != 1)}, {size(amount.memory)}{gpus}"


def share(part: int, whole: int) -> str:
    """Return "45 %", or a dash of nothing at all."""
    return f"{100 * part / whole:.0f} %" if whole else "-"


def counted(amount: int, noun: str) -> str:
    """Return "1 job", "3 jobs"."""
    return f"{amount} {noun}{'s' * (amount != 1)}"

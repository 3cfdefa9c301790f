"""Times, durations and amounts as people read them in a table."""

from datetime import datetime

from idleq.ids import Millis
from idleq.scheduler.core.resources import Resources
from idleq.scheduler.units import span

__all__ = ["clock_time", "counted", "resources", "share", "size", "span"]

SECOND, MINUTE, HOUR, DAY = 1_000, 60_000, 3_600_000, 86_400_000


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

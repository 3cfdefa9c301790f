"""What the end of a guest's process means: a pure function of how it ended and what had been asked of it."""

from dataclasses import dataclass

from idleq.scheduler.agent.decide import Cause

SAVED_CODES = frozenset({85, 99})
"""Saved, run me again: 85 in HTCondor's world, 99 in OAR's."""

KILLED = -9

NOT_KEPT = 74
"""The code of a segment whose results could not be put away (sysexits' EX_IOERR)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """How a process ended.

    Attributes:
        code: its exit code, or minus the signal that ended it.
        can_freeze: whether the job follows the workload contract.
        has_checkpoint: whether anything is in its checkpoint folder.
        asked_by: the signal by which it was asked to save; 0 if it was not asked.
        stop_reason: why it was killed; empty if it was not.
        stop_cause: whose fault that was.
        lost: what went wrong around it, where that has ended it; empty otherwise.
        ran_out: whether something of it was ended for wanting more memory than it had asked for.
        is_uprooted: whether its folders were gone by then, with all that it has left.
    """

    code: int
    can_freeze: bool
    has_checkpoint: bool
    asked_by: int = 0
    stop_reason: str = ""
    stop_cause: Cause = "agent"
    lost: str = ""
    ran_out: bool = False
    is_uprooted: bool = False


@dataclass(frozen=True, slots=True)
class Done:
    """It has its result."""


@dataclass(frozen=True, slots=True)
class Saved:
    """It saved itself and wants to go on."""


@dataclass(frozen=True, slots=True)
class Broken:
    """It ended without either."""

    code: int
    cause: Cause
    reason: str


Verdict = Done | Saved | Broken


def judge(end: End) -> Verdict:
    """Return what *end* means. A process that ended by itself just before it was killed is taken at its word."""
    if end.is_uprooted and not (end.stop_reason and end.code == KILLED):
        # Not even a good end counts: its result is gone, too.
        reason = f"its folders on the node were removed while it ran ({_in_words(end.code)})"
        return Broken(end.code or NOT_KEPT, "agent", reason)
    if end.ran_out and not end.stop_reason:
        # A program may take no notice of a part of itself that is gone; its result is not to be trusted.
        return Broken(end.code or KILLED, "workload", f"used more memory than asked for ({_in_words(end.code)})")
    if end.code == 0:
        return Done()
    if end.code in SAVED_CODES and end.can_freeze:
        if end.has_checkpoint:
            return Saved()
        return Broken(
            end.code, "workload", f"said that it has saved (exit {end.code}), but its checkpoint folder is empty"
        )
    if end.stop_reason and end.code == KILLED:
        return Broken(end.code, end.stop_cause, end.stop_reason)
    if end.lost:
        return Broken(end.code, "agent", end.lost)
    if end.asked_by and end.code == -end.asked_by:
        return Broken(end.code, "agent", "the signal to save ended it: it does not listen to that signal, or not yet")
    return Broken(end.code, "workload", _in_words(end.code))


def _in_words(code: int) -> str:
    return f"ended by signal {-code}" if code < 0 else f"exit code {code}"

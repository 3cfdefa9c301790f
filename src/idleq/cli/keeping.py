"""Where `idleq simulate` keeps a simulation that is told to leave, and when; as a guest of idleq it does what guests do."""

import hashlib
import json
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from idleq.cli.checkpointfiles import CheckpointFile, Generations
from idleq.simulator.errors import ImpossibleParameters

if TYPE_CHECKING:
    from idleq.simulator.keeper import Keeper

FREEZE_SIGNAL = signal.SIGUSR1
SECOND = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Keeping:
    """What was asked for.

    Attributes:
        store: where to; None keeps nothing, and signals do what they always do.
        every_s: how long between two times; None keeps when it is told to leave only.
        freeze_signal: asks for it, beside SIGTERM and SIGINT.
    """

    store: CheckpointFile | Generations | None = None
    every_s: float | None = None
    freeze_signal: signal.Signals = FREEZE_SIGNAL


def keeping_asked(
    file: Path | None,
    every_s: float | None,
    environment: Mapping[str, str],
    warn: Callable[[str], None] = lambda _: None,
) -> Keeping:
    """Return what options and environment ask for; options come first. *warn* is told what a guest's agent was not.

    Raises:
        ImpossibleParameters: nothing can be kept so.
    """
    if every_s is not None and every_s <= 0:
        raise ImpossibleParameters(f"--checkpoint-every needs a time above 0 seconds, not {every_s:g}")
    folder, shared = environment.get("IDLEQ_CHECKPOINT_DIR"), environment.get("IDLEQ_CONTROL")
    control = Path(shared) if shared else None
    segment = {} if control is None else _segment(control)
    save_every = segment.get("save_every_ms")
    if every_s is None and isinstance(save_every, int | float) and save_every > 0:
        every_s = save_every / SECOND
    freeze = _freeze_signal(segment)
    if file is not None:
        return Keeping(store=CheckpointFile(file.absolute()), every_s=every_s, freeze_signal=freeze)
    if folder:
        return Keeping(store=Generations(Path(folder), control, warn), every_s=every_s, freeze_signal=freeze)
    if every_s is not None:
        raise ImpossibleParameters("--checkpoint-every needs --checkpoint FILE")
    return Keeping()


def _freeze_signal(segment: Mapping[str, Any]) -> signal.Signals:
    named = getattr(signal, str(segment.get("signal")), FREEZE_SIGNAL)
    return named if isinstance(named, signal.Signals) else FREEZE_SIGNAL


def _segment(control: Path) -> Mapping[str, Any]:
    """Return what the agent says of this segment; nothing where it cannot be read: the guest runs all the same."""
    try:
        found = json.loads((control / "segment.json").read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def digest_of(value: object) -> str:
    """Return a digest of *value*, which is made of values whose text says all."""
    return hashlib.sha256(repr(value).encode()).hexdigest()


@contextmanager
def leaving_on(freeze_signal: signal.Signals) -> Iterator[Callable[[], bool]]:
    """Yield what says whether a signal has come that asks to leave."""
    from idleq.scheduler.signals import STOPPING, on_stop

    came: list[signal.Signals] = []
    with on_stop(came.append, (*STOPPING, freeze_signal)):
        yield lambda: bool(came)


@contextmanager
def asked_to_leave(environment: Mapping[str, str]) -> Iterator[Callable[[], bool]]:
    """Yield the same for whoever has *environment*: a guest's agent may have named another signal."""
    control = environment.get("IDLEQ_CONTROL")
    with leaving_on(_freeze_signal(_segment(Path(control)) if control else {})) as is_leaving:
        yield is_leaving


@contextmanager
def keeper_for(
    keeping: Keeping, purpose: str, *, show: Callable[[int], None], warn: Callable[[str], None]
) -> "Iterator[Keeper]":
    """Yield what carries simulations out; what was kept is removed at the end, since then the results are there.

    A signal is looked at between two events of a simulation only: not while a trace is read, a stage is set or figures are drawn.

    Raises:
        CheckpointDamaged, CheckpointForeign: what is there cannot be gone on with; it stays as it is.
        CheckpointNotKept: nothing can be kept there.
        SimulationLeft: a signal came, and all is kept.
    """
    from idleq.simulator.keeper import Keeper

    store = keeping.store
    if store is None:
        yield Keeper(None, purpose, clock=time.monotonic, show=show)
        return
    with leaving_on(keeping.freeze_signal) as is_leaving:
        store.check()
        yield Keeper(
            store,
            purpose,
            clock=time.monotonic,
            every_s=keeping.every_s,
            is_leaving=is_leaving,
            show=show,
            warn=warn,
        )
        store.remove()

"""`count`: a job with nothing but state, to try and test the machinery without any library.

Each step mixes a digest into itself and into one page of a block of memory; the result is the hash of both.
"""

import argparse
import hashlib
import json
import os
import time
from dataclasses import dataclass
from typing import Self

from idleq.workloads import durable
from idleq.workloads.contract import EXIT_DONE, EXIT_SAVED, Places
from idleq.workloads.errors import BadOption, CheckpointRefused
from idleq.workloads.guest import Guest, require_parts

PAGE_BYTES = 4096
MAX_MEMORY_MB = 65_536

# A step's sleep is cut into slices, so that the wish to freeze is seen within one of them.
SLICE_SECONDS = 0.05

RESULT_FILE = "result.json"


@dataclass(slots=True, kw_only=True)
class CountState:
    """Everything that the next step depends on."""

    step: int
    digest: bytes
    memory: bytearray

    @classmethod
    def begin(cls, seed: int, memory_mb: int) -> Self:
        """The state before the first step."""
        origin = f"idleq count {seed}".encode()
        block = hashlib.shake_128(origin).digest(memory_mb * 1024 * 1024) if memory_mb else b""
        return cls(step=0, digest=hashlib.sha256(origin).digest(), memory=bytearray(block))

    @classmethod
    def from_parts(cls, step: int, parts: dict[str, bytes]) -> Self:
        """The state that `parts` wrote at *step*."""
        if len(parts["digest"]) != hashlib.sha256().digest_size:
            raise CheckpointRefused("the checkpoint's digest has the wrong length; it cannot be continued exactly")
        return cls(step=step, digest=parts["digest"], memory=bytearray(parts["memory"]))

    def parts(self) -> dict[str, bytes]:
        """The state as named parts of a checkpoint."""
        return {"digest": self.digest, "memory": bytes(self.memory)}

    def advance(self) -> None:
        """One step."""
        self.digest = hashlib.sha256(self.digest + self.step.to_bytes(8, "big")).digest()
        pages = len(self.memory) // PAGE_BYTES
        if pages:
            start = int.from_bytes(self.digest[:8], "big") % pages * PAGE_BYTES
            page = bytes(self.memory[start : start + PAGE_BYTES])
            self.memory[start : start + PAGE_BYTES] = hashlib.shake_128(self.digest + page).digest(PAGE_BYTES)
        self.step += 1

    def result(self) -> str:
        """The hash of the whole state."""
        total = hashlib.sha256(self.digest)
        total.update(self.memory)
        return total.hexdigest()


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `count`."""
    parser.add_argument("--steps", type=int, default=100, help="how many steps to count (default 100)")
    parser.add_argument("--step-seconds", type=float, default=0.1, help="how long a step sleeps (default 0.1)")
    parser.add_argument("--memory-mb", type=int, default=1, help="memory that is part of the state (default 1)")
    parser.add_argument("--seed", type=int, default=0, help="where the count starts (default 0)")
    parser.add_argument("--output", metavar="DIR", help="where the result goes; needed in a plain run")


def run(options: argparse.Namespace) -> int:
    """Count to the end, or save and leave when asked to."""
    _check(options)
    places = Places.from_environment(os.environ, options.output)
    identity = {"steps": options.steps, "memory_mb": options.memory_mb, "seed": options.seed}
    with Guest(places=places, kind="count", identity=identity) as guest:
        state = _restored(guest) or CountState.begin(options.seed, options.memory_mb)
        while True:
            if not guest.may_go_on(state.step, state.parts):
                return EXIT_SAVED
            if state.step == options.steps:
                break
            if _slept(guest, options.step_seconds):
                state.advance()
                guest.report(state.step, options.steps, {"fraction": state.step / options.steps})
        _write_result(guest, state)
        guest.finish()
    return EXIT_DONE


def _check(options: argparse.Namespace) -> None:
    if options.steps < 1:
        raise BadOption(f"--steps must be at least 1, not {options.steps}")
    if not 0 <= options.step_seconds < float("inf"):
        raise BadOption(f"--step-seconds must be zero or more, not {options.step_seconds}")
    if not 0 <= options.memory_mb <= MAX_MEMORY_MB:
        raise BadOption(f"--memory-mb must be between 0 and {MAX_MEMORY_MB}, not {options.memory_mb}")


def _restored(guest: Guest) -> CountState | None:
    checkpoint = guest.restore()
    if checkpoint is None:
        return None
    require_parts(checkpoint, ("digest", "memory"))
    return CountState.from_parts(checkpoint.step, dict(checkpoint.parts))


def _slept(guest: Guest, seconds: float) -> bool:
    """Sleep out a step; False when the wish to freeze cut it short (the step is then done again, later)."""
    end = time.monotonic() + seconds
    while not guest.should_stop:
        remaining = end - time.monotonic()
        if remaining <= 0:
            return True
        time.sleep(min(SLICE_SECONDS, remaining))
    return False


def _write_result(guest: Guest, state: CountState) -> None:
    path = guest.output / RESULT_FILE
    content = json.dumps({"steps": state.step, "sha256": state.result()}, indent=2) + "\n"
    with durable.explained("the result", path):
        durable.replace_file(path, content.encode())

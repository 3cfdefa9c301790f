"""Output in shards that depend on their own seed only: a generation can be stopped anywhere, and be cut into tasks.

OUTPUT/shard-00000.npz ...   what was made; the task of an array writes its own folder, with seeds of its own
      /manifest.json         identity, SHA-256 and size of every shard; written last
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from idleq.workloads import durable
from idleq.workloads.errors import MissingInput
from idleq.workloads.guest import Guest, require_parts

# Name, size and SHA-256 of a finished shard.
Shard = dict[str, Any]

SHARDS_DONE = "shards"
MANIFEST = "manifest.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """*count* things in shards of *per_shard*; *what* names them in the progress, *suffix* is that of the files."""

    count: int
    per_shard: int
    what: str
    suffix: str = ".npz"

    @property
    def shards(self) -> int:
        """How many shards there will be."""
        return -(-self.count // self.per_shard)

    def count_in(self, index: int) -> int:
        """How many things shard *index* holds: the last one may be short."""
        return min(self.per_shard, self.count - index * self.per_shard)


def shards_done(guest: Guest) -> list[Shard]:
    """The shards that were done when the job was frozen."""
    checkpoint = guest.restore()
    if checkpoint is None:
        return []
    require_parts(checkpoint, (SHARDS_DONE,))
    return list(json.loads(checkpoint.parts[SHARDS_DONE]))


def write_shards(
    guest: Guest, plan: Plan, done: list[Shard], make: Callable[[int, int], bytes], identity: Mapping[str, Any]
) -> bool:
    """Write what is missing, *make(index, count)* each, then the manifest; False = asked to leave, and saved."""

    def parts() -> dict[str, bytes]:
        return {SHARDS_DONE: durable.canonical_json(done)}

    for index, entry in enumerate(done):
        if not guest.may_go_on(len(done), parts):
            return False
        if not _is_whole(guest.output, entry):
            _write_shard(guest.output, plan, index, make(index, plan.count_in(index)))
    while guest.may_go_on(len(done), parts):
        if len(done) == plan.shards:
            _write_manifest(guest.output, identity, done)
            return True
        index = len(done)
        done.append(_write_shard(guest.output, plan, index, make(index, plan.count_in(index))))
        guest.report(len(done), plan.shards, {plan.what: float(min(len(done) * plan.per_shard, plan.count))})
    return False


def shard_seed(seed: int, index: int, task: int | None = None) -> int:
    """The seed of one shard, below 2^63: another one for each shard of each task of an array.

    Task 0 has those of a plain run, since SeedSequence fills up with zeros. A seed from 2^32 on takes two words there.
    """
    import numpy as np

    entropy = [seed, index] if task is None else [seed, index, task]
    return int(np.random.SeedSequence(entropy).generate_state(1, np.uint64)[0] >> np.uint64(1))


def array_task(environ: Mapping[str, str]) -> int | None:
    """Which task of an array this is; None outside one."""
    text = environ.get("IDLEQ_ARRAY_INDEX", "")
    return int(text) if text.isdecimal() else None


def checksum(path: Path, what: str) -> str:
    """SHA-256 of an input, which belongs to the identity of what is made from it."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise MissingInput(f"cannot read {what} {path}: {error.strerror}") from error


def _is_whole(output: Path, entry: Shard) -> bool:
    path = output / entry["name"]
    return path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == str(entry["sha256"])


def _write_shard(output: Path, plan: Plan, index: int, content: bytes) -> Shard:
    path = output / f"shard-{index:05d}{plan.suffix}"
    with durable.explained("a shard", path):
        durable.replace_file(path, content)
    return {"name": path.name, "sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}


def _write_manifest(output: Path, identity: Mapping[str, Any], done: list[Shard]) -> None:
    path = output / MANIFEST
    with durable.explained("the manifest", path):
        durable.replace_file(path, durable.canonical_json({"format": 1, **identity, "shards": done}))

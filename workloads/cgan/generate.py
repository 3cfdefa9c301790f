"""`generate-cgan`: images from trained weights, in shards that depend on their own seed only.

OUTPUT/shard-00000.npz ...   images (n, 609) in photo-electrons and their classes
      /manifest.json         weights, seed, counts, SHA-256 of every shard; written last
"""

import argparse
import hashlib
import io
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from idleq.workloads import durable
from idleq.workloads.contract import EXIT_DONE, EXIT_SAVED, Places
from idleq.workloads.errors import BadOption, MissingInput
from idleq.workloads.guest import Guest, require_parts

if TYPE_CHECKING:
    from idleq.workloads.cgan.model import Generator
    from idleq.workloads.iact.camera import Camera

# Name, size and SHA-256 of a finished shard.
Shard = dict[str, Any]

MAX_COUNT = 1_000_000_000

# Images in one shard: about a second of work, so that a wish to freeze is met soon.
SHARD_IMAGES = 1_000

SHARDS_DONE = "shards"


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `generate-cgan`."""
    parser.add_argument("--weights", metavar="FILE", required=True, help="the weights that train-cgan wrote")
    parser.add_argument(
        "--count", type=int, default=10_000, help="how many images, equally many per class (default 10000)"
    )
    parser.add_argument("--seed", type=int, default=1, help="the seed (default 1)")
    parser.add_argument(
        "--threads", type=int, default=1, help="threads; results repeat bit for bit with one (default 1)"
    )
    parser.add_argument("--output", metavar="DIR", help="where the shards go in a plain run")


def run(options: argparse.Namespace) -> int:
    """Generate to the end, or save and leave when asked to."""
    _check(options)
    weights = Path(options.weights)
    places = Places.from_environment(os.environ, options.output)
    identity = {"count": options.count, "seed": options.seed, "threads": options.threads, "weights": _checksum(weights)}
    with Guest(places=places, kind="generate-cgan", identity=identity) as guest:
        done = _restored(guest)
        from idleq.workloads.cgan.train import use_one_thread_pool
        from idleq.workloads.cgan.weights import load_generator
        from idleq.workloads.iact.camera import Camera

        use_one_thread_pool(options.threads)
        camera = Camera.load()
        generator = load_generator(weights, camera)

        def write(index: int) -> Shard:
            count = min(SHARD_IMAGES, options.count - index * SHARD_IMAGES)
            return _write_shard(
                guest.output, index, make_shard(generator, camera, seed=options.seed, index=index, count=count)
            )

        return _generate(guest, options.count, done, write, identity)


def _generate(
    guest: Guest, count: int, done: list[Shard], write: Callable[[int], Shard], identity: Mapping[str, Any]
) -> int:
    shards = -(-count // SHARD_IMAGES)

    def parts() -> dict[str, bytes]:
        return {SHARDS_DONE: durable.canonical_json(done)}

    for index, entry in enumerate(done):
        if not guest.may_go_on(len(done), parts):
            return EXIT_SAVED
        if not _is_whole(guest.output, entry):
            write(index)
    while guest.may_go_on(len(done), parts):
        if len(done) == shards:
            _write_manifest(guest, identity, done)
            guest.finish()
            return EXIT_DONE
        done.append(write(len(done)))
        guest.report(len(done), shards, {"images": float(min(len(done) * SHARD_IMAGES, count))})
    return EXIT_SAVED


def make_shard(generator: "Generator", camera: "Camera", *, seed: int, index: int, count: int) -> bytes:
    """The bytes of shard *index*: the same whichever shards were made before it."""
    import numpy as np
    import torch

    from idleq.workloads.cgan.sampling import equal_classes, sample

    shard_seed = int(np.random.SeedSequence([seed, index]).generate_state(1, np.uint64)[0] >> np.uint64(1))
    classes = equal_classes(count)
    images = sample(generator, camera, classes, torch.Generator().manual_seed(shard_seed))
    buffer = io.BytesIO()
    np.savez_compressed(buffer, images=images, classes=classes)
    return buffer.getvalue()


def _check(options: argparse.Namespace) -> None:
    if not 1 <= options.count <= MAX_COUNT:
        raise BadOption(f"--count must be between 1 and {MAX_COUNT}, not {options.count}")
    if not 0 <= options.seed < 2**63:
        raise BadOption(f"--seed must be between 0 and 2^63 - 1, not {options.seed}")
    if options.threads < 1:
        raise BadOption(f"--threads must be at least 1, not {options.threads}")


def _checksum(weights: Path) -> str:
    try:
        return hashlib.sha256(weights.read_bytes()).hexdigest()
    except OSError as error:
        raise MissingInput(f"cannot read the weights {weights}: {error.strerror}") from error


def _restored(guest: Guest) -> list[Shard]:
    """The shards that were done."""
    checkpoint = guest.restore()
    if checkpoint is None:
        return []
    require_parts(checkpoint, (SHARDS_DONE,))
    return list(json.loads(checkpoint.parts[SHARDS_DONE]))


def _is_whole(output: Path, entry: Shard) -> bool:
    path = output / entry["name"]
    return path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == str(entry["sha256"])


def _write_shard(output: Path, index: int, content: bytes) -> Shard:
    path = output / f"shard-{index:05d}.npz"
    with durable.explained("a shard", path):
        durable.replace_file(path, content)
    return {"name": path.name, "sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}


def _write_manifest(guest: Guest, identity: Mapping[str, Any], done: list[Shard]) -> None:
    path = guest.output / "manifest.json"
    with durable.explained("the manifest", path):
        durable.replace_file(path, durable.canonical_json({"format": 1, **identity, "shards": done}))

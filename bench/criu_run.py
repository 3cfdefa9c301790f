"""Runs on a node of the test cluster: freezes into a snapshot and thaws a program that holds so many bytes, in turns with plain writes of as many.

    criu_run ENGINE[:IMAGE] FOLDER IMAGES ROUNDS SIZE

Prints the seconds of each round as JSON. Everything is on the disk before a time ends. What is frozen is put into IMAGES, its
snapshot beside them.
"""

import json
import os
import shutil
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from idleq.ids import Millis
from idleq.migration import snapshot
from idleq.migration.docker import DockerRuntime
from idleq.migration.errands import Errands
from idleq.migration.here import origin_here
from idleq.migration.packer import Packer
from idleq.migration.podman import PodmanRuntime
from idleq.migration.ports import ContainerName, Mount, Order, RuntimeName
from idleq.migration.process import ProcessRuntime
from idleq.migration.runtimes import FullRuntime
from idleq.migration.tree import Item, list_folder

INSIDE = Path("/run/idleq")
NAME = ContainerName("bench")
PATIENCE_SECONDS = 120

ROOM = 512 << 20
"""Memory that a container may use beside what its program holds."""

HOLD = """
import os, sys, time
from pathlib import Path
held = [os.urandom(1 << 20) for _ in range(int(sys.argv[1]) >> 20)]
while True:
    time.sleep(0.01)
    Path("alive").write_text(str(time.monotonic_ns()))
"""


def main(engine: str, folder: Path, images: Path, rounds: int, size: int) -> None:
    """Measure, and print it."""
    print(json.dumps(measured(engine, folder, images, rounds, size)))


def measured(engine: str, folder: Path, images: Path, rounds: int, size: int) -> dict[str, list[float]]:
    for leftover in (folder, images):
        shutil.rmtree(leftover, ignore_errors=True)
    (folder / "work").mkdir(parents=True)
    order = order_of(engine, folder, size)
    runtime = runtime_of(order.runtime, str(folder))
    found: dict[str, list[float]] = {"write": [], "memory": [], "freeze": [], "stopped": [], "thaw": []}
    try:
        runtime.start(order)
        until((folder / "work" / "alive").exists)
        for _ in range(rounds):
            one_round(runtime, order, images, size, found)
    finally:
        runtime.close()
        shutil.rmtree(folder, ignore_errors=True)
    return found


def order_of(engine: str, folder: Path, size: int) -> Order:
    name, _, image = engine.partition(":")
    python = ["python3"] if image else [sys.executable, "-I", "-S"]
    return Order(
        name=NAME,
        argv=[*python, "-c", HOLD, str(size)],
        environment={} if image else {"PATH": os.environ["PATH"]},
        folder=INSIDE / "work",
        stdout=folder / "stdout",
        stderr=folder / "stderr",
        runtime=RuntimeName(name),
        image=image,
        memory=size + ROOM if image else None,
        mounts=[Mount(source=folder / "work", target=INSIDE / "work", is_writable=True)],
        may_freeze=True,
    )


def runtime_of(kind: RuntimeName, owner: str) -> FullRuntime:
    match kind:
        case RuntimeName.PROCESS:
            return ProcessRuntime()
        case RuntimeName.PODMAN:
            return PodmanRuntime(owner, Errands())
        case RuntimeName.DOCKER:
            return DockerRuntime(owner)


def one_round(runtime: FullRuntime, order: Order, images: Path, size: int, found: dict[str, list[float]]) -> None:
    packer = Packer(compression="auto")  # as an agent begins
    for what, plain in (("write", images.with_name("plain")), ("memory", Path("/dev/shm/plain"))):
        found[what].append(timed(partial(written, plain, size)))
        plain.unlink()
    images.mkdir()
    target = images.with_name("snapshots") / "0001-0001"

    def freeze() -> None:
        with snapshot.early_store(images, images.name, target, packer) as store:
            state = runtime.freeze(NAME, images)
        found["stopped"].append(state.stopped_ms / 1000)
        items = [Item(path=images.name, source=images, is_folder=True), *list_folder(images, images.name)]
        snapshot.publish(items, target, kind="criu", origin=origin_here(Millis(1)), packer=packer, early=store.early)

    def thaw() -> None:
        alive = order.mounts[0].source / "alive"
        before = alive.stat().st_mtime_ns  # it may have been open, so it must stay as it was
        runtime.thaw(order, images)
        until(lambda: alive.stat().st_mtime_ns != before)

    found["freeze"].append(timed(freeze))
    found["thaw"].append(timed(thaw))
    shutil.rmtree(images)
    shutil.rmtree(target.parent)


def written(path: Path, size: int) -> None:
    """Write so many bytes that nothing can squeeze, and wait for the disk."""
    piece = PIECES[0]
    with path.open("wb", buffering=0) as file:
        for _ in range(size >> 20):
            file.write(piece)
        os.fsync(file.fileno())


PIECES = [os.urandom(1 << 20)]


def until(there: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_SECONDS
    while not there():
        if time.monotonic() > end:
            raise TimeoutError("the process did not go on")
        time.sleep(0.005)


def timed(work: Callable[[], object]) -> float:
    os.sync()  # what was written or removed before is none of its business
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4]), int(sys.argv[5]))

"""One segment of a guest on one node, without a daemon: started or thawed there, let run, and frozen again; prints how it ended.

segment.py FOLDER NUMBER RUNTIME UNTIL ARGV...: what segment NUMBER - 1 has left in FOLDER goes on (0: it starts) until lines.txt (or
progress.jsonl) has UNTIL lines, or to its end. RUNTIME is process, or an engine and an image, like podman:IMAGE.
"""

import json
import os
import shutil
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from idleq.migration.docker import DockerRuntime
from idleq.migration.errands import Errands
from idleq.migration.podman import PodmanRuntime
from idleq.migration.ports import ContainerName, Ended, Mount, Order, RuntimeName
from idleq.migration.process import ProcessRuntime
from idleq.migration.runtimes import FullRuntime
from idleq.processes import read_processes

INSIDE = Path("/run/idleq")
LIMIT_SECONDS = 300


@dataclass(frozen=True, slots=True)
class Left:
    """What a segment leaves in the shared folder."""

    root: Path

    @property
    def images(self) -> Path:
        return self.root / "images"

    @property
    def output(self) -> Path:
        return self.root / "output"


def order_of(folder: Path, number: int, runtime: str, scratch: Path, argv: list[str]) -> Order:
    engine, _, image = runtime.partition(":")
    own = {} if image else {"PATH": os.environ["PATH"]}
    return Order(
        name=ContainerName(f"trial/{number}"),
        argv=argv,
        environment={**own, "TMPDIR": str(INSIDE / "tmp"), "HOME": str(INSIDE / "tmp")},
        folder=INSIDE / "output",
        stdout=folder / f"stdout-{number}",
        stderr=folder / f"stderr-{number}",
        runtime=RuntimeName(engine),
        image=image,
        memory=2**31 if image else None,
        mounts=[
            *(Mount(source=scratch / name, target=INSIDE / name, is_writable=True) for name in ("output", "tmp")),
            *(Mount(source=given, target=INSIDE / "given") for given in [folder.parent / "given"] if given.exists()),
        ],
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


def lines_in(output: Path) -> int:
    told = (output / name for name in ("lines.txt", "progress.jsonl"))
    return sum(path.read_bytes().count(b"\n") for path in told if path.exists())


def run(folder: Path, number: int, runtime_name: str, until: int, argv: list[str]) -> dict[str, object]:
    before, after = Left(folder / str(number - 1)), Left(folder / str(number))
    scratch = Path(tempfile.mkdtemp(prefix="idleq-segment-"))
    (scratch / "tmp").mkdir()
    order = order_of(folder, number, runtime_name, scratch, argv)
    runtime = runtime_of(order.runtime, str(scratch))
    said: dict[str, object] = {}
    try:
        if number == 0:
            (scratch / "output").mkdir()
            runtime.start(order)
        else:
            shutil.copytree(before.output, scratch / "output")
            runtime.thaw(order, before.images)
        output, ended = scratch / "output", list[Ended]()
        end = time.monotonic() + LIMIT_SECONDS
        while not ended and lines_in(output) < until:
            if time.monotonic() > end:
                raise TimeoutError(f"after {LIMIT_SECONDS} s it has not come to {until} lines")
            time.sleep(0.02)
            ended = runtime.ended()
        if ended:
            said = {"code": ended[0].code}
        else:
            after.images.mkdir(parents=True)
            state = runtime.freeze(order.name, after.images)
            said = {"bytes": state.bytes, "stopped_ms": state.stopped_ms, "ended": len(runtime.ended())}
        shutil.copytree(scratch / "output", after.output)
    finally:
        runtime.close()
        shutil.rmtree(scratch)
    me = os.getpid()
    return {
        **said,
        "left": sum(process.parent == me and not process.is_zombie for process in read_processes().values()),
    }


if __name__ == "__main__":
    root, number, runtime, until, *argv = sys.argv[1:]
    sys.stdout.write(json.dumps(run(Path(root), int(number), runtime, int(until), argv)) + "\n")

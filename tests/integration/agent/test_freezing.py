"""Guests that are frozen from outside, under a real agent with the real criu; where there is none, what is done instead.

The testbed's nodes have criu, and run this very file.
"""

import json
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import msgspec
import pytest

from idleq.ids import Fence, JobId, Millis
from idleq.migration import snapshot
from idleq.migration.early import WORTH_STORING
from idleq.migration.here import origin_here
from idleq.migration.patience import THAW_SECONDS
from idleq.migration.tree import Item, list_folder
from idleq.scheduler.core.commands import Replan, SegmentPlan
from idleq.scheduler.core.inputs import Exited, Frozen, Launched, Progressed, SnapshotRejected
from idleq.scheduler.core.resources import Resources
from idleq.scheduler.core.submission import FreezeMethod, Inputs, JobSpec, RuntimeWish
from idleq.scheduler.staging import KIND, PLACE
from support.agents import MEBI, SAVER, FakeDaemon, StartAgent, now, python, spec
from support.containers import CRIU, IMAGE, NO_CRIU, PODMAN, has_image
from testbed.waiting import wait_for

BUSY_TREE = Path(__file__).parents[2] / "support" / "busy_tree.py"
PATIENCE_SECONDS = 60

CONNECT = "import socket, os\nconnected = socket.create_connection(('127.0.0.1', int(os.environ['PORT'])))\n"
TELL_SEGMENT = """
import json, os, time
from pathlib import Path
for step in range(1, 400):
    segment = json.loads(Path(os.environ["IDLEQ_CONTROL"], "segment.json").read_text())["segment"]
    Path("progress.jsonl").open("a").write(json.dumps({"step": step}) + "\\n")
    print(segment, flush=True)
    if segment == 2:
        break
    time.sleep(0.02)
"""


@pytest.fixture
def listener() -> Iterator[int]:
    """Somebody outside to whom a guest may be connected."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def busy_tree(steps: int) -> JobSpec:
    return spec("{python}", "-I", "-S", str(BUSY_TREE), str(steps), freeze=FreezeMethod.CRIU)


def printed(daemon: FakeDaemon, job: str, fence: int) -> list[str]:
    path = daemon.paths.job(JobId(job)).segment(Fence(fence)).stdout
    return path.read_text().splitlines() if path.exists() else []


def wait_for_lines(daemon: FakeDaemon, least: int, *, job: str = "1", fence: int = 1) -> None:
    def is_running() -> bool:
        # A container that goes on may print before its agent knows that it does: who is asked to go then is only ended.
        told = [said for said in daemon.said if isinstance(said, Launched) and (said.job, said.fence) == (job, fence)]
        return bool(told) and len(printed(daemon, job, fence)) >= least

    wait_for("it to run and print", is_running, seconds=PATIENCE_SECONDS)


def frozen(daemon: FakeDaemon, job: str = "1", fence: int = 1) -> Frozen:
    end = daemon.wait_for_end(job, fence)
    assert isinstance(end, Frozen), end
    return end


def exited(daemon: FakeDaemon, job: str = "1", fence: int = 1) -> Exited:
    end = daemon.wait_for_end(job, fence)
    assert isinstance(end, Exited), end
    return end


@CRIU
def test_the_agent_says_what_its_node_can_do(daemon: FakeDaemon, start_agent: StartAgent) -> None:
    start_agent()
    assert daemon.wait_until_ready().abilities[:1] == ("criu",)


@CRIU
def test_a_tree_of_processes_that_knows_nothing_of_idleq_is_frozen_and_goes_on_five_times(
    daemon: FakeDaemon, start_agent: StartAgent
) -> None:
    start_agent()
    daemon.launch(busy_tree(150), job="2")
    daemon.launch(busy_tree(150))
    for fence in range(1, 6):
        wait_for_lines(daemon, 10, fence=fence)
        daemon.freeze(fence=fence)
        end = frozen(daemon, fence=fence)
        assert end.snapshot.needs == ("criu",)
        daemon.launch(busy_tree(150), fence=fence + 1, thaw_from=end.snapshot)

    moved, undisturbed = exited(daemon, fence=6), exited(daemon, "2")
    assert moved.code == 0
    assert moved.digest == undisturbed.digest != ""
    assert [line for fence in range(1, 7) for line in printed(daemon, "1", fence)] == printed(daemon, "2", 1)


COUNT = """
import hashlib, time
from pathlib import Path
state = hashlib.sha256()
for step in range(120):
    state.update(b"%d" % step)
    print(step, flush=True)
    time.sleep(0.02)
Path("result").write_text(state.hexdigest())
"""


@PODMAN
def test_an_image_in_podman_is_frozen_and_goes_on_and_nothing_of_it_is_left(
    daemon: FakeDaemon, start_agent: StartAgent
) -> None:
    agent = start_agent()
    job = python(COUNT, freeze=FreezeMethod.AUTO, image=IMAGE, runtime=RuntimeWish.PODMAN, memory=256 * MEBI)
    daemon.launch(job)
    for fence in (1, 2):
        wait_for_lines(daemon, 3, fence=fence)
        daemon.freeze(fence=fence)
        end = frozen(daemon, fence=fence)
        assert end.snapshot.needs == ("criu",)
        assert end.snapshot.bound_to is not None
        assert end.snapshot.bound_to.runtime == "podman"
        daemon.launch(job, fence=fence + 1, thaw_from=end.snapshot)

    assert exited(daemon, fence=3).code == 0
    result = daemon.paths.job(JobId("1")).segment(Fence(3)).output / "result"
    assert result.read_text() == sha256("".join(map(str, range(120))).encode()).hexdigest()
    assert [line for fence in (1, 2, 3) for line in printed(daemon, "1", fence)] == list(map(str, range(120)))
    daemon.leave = True
    agent.wait()
    assert podmans() == []


ADD = """
import time
from pathlib import Path
numbers, total = open("numbers/all"), 0
try:
    Path("numbers/new").touch()
except OSError as error:
    print(error.strerror, flush=True)
for line in numbers:
    total += int(line)
    print(total, flush=True)
    time.sleep(0.02)
Path("total").write_text(str(total))
Path("scratch").write_text("of no use")
"""


@pytest.mark.parametrize("image", [pytest.param("", marks=CRIU), pytest.param(IMAGE, marks=PODMAN)])
def test_what_a_job_was_given_is_open_and_read_only_across_moves_and_only_its_outputs_are_kept(
    daemon: FakeDaemon, start_agent: StartAgent, tmp_path: Path, image: str
) -> None:
    start_agent()
    (tmp_path / "numbers").mkdir()
    (tmp_path / "numbers" / "all").write_text("".join(f"{number}\n" for number in range(120)))
    items = [Item(path=PLACE, source=tmp_path, is_folder=True), *list_folder(tmp_path / "numbers", f"{PLACE}/numbers")]
    items.insert(1, Item(path=f"{PLACE}/numbers", source=tmp_path / "numbers", is_folder=True))
    copy = snapshot.publish(items, daemon.paths.input("0" * 32), kind=KIND, origin=origin_here(now()))
    given = Inputs(sources=("/home/ada/numbers",), id="0" * 32, digest=copy.digest)
    job = python(
        ADD, freeze=FreezeMethod.CRIU, inputs=given, outputs=("total",), memory=256 * MEBI, image=image,
        runtime=RuntimeWish.PODMAN if image else RuntimeWish.AUTO,
    )  # fmt: skip
    daemon.launch(job)
    for fence in (1, 2):
        wait_for_lines(daemon, 3, fence=fence)
        daemon.freeze(fence=fence)
        daemon.launch(job, fence=fence + 1, thaw_from=frozen(daemon, fence=fence).snapshot)

    assert exited(daemon, fence=3).code == 0, printed(daemon, "1", 3)
    assert printed(daemon, "1", 1)[0] == "Read-only file system"
    output = daemon.paths.job(JobId("1")).segment(Fence(3)).output
    assert {path.name: path.read_text() for path in output.iterdir()} == {"total": str(sum(range(120)))}


@PODMAN
def test_what_a_killed_agent_has_left_in_podman_is_ended_by_the_next_of_its_allocation(
    daemon: FakeDaemon, start_agent: StartAgent
) -> None:
    agent = start_agent()
    job = python(COUNT.replace("120", "100000"), image=IMAGE, runtime=RuntimeWish.PODMAN, memory=256 * MEBI)
    daemon.launch(job)
    wait_for_lines(daemon, 1)
    agent.process.kill()
    agent.process.wait()
    assert len(podmans()) == 1

    start_agent()
    daemon.launch(job, job="2")
    wait_for_lines(daemon, 1, job="2")

    assert len(podmans()) == 1
    daemon.kill("2")
    exited(daemon, "2")
    assert podmans() == []


def containers() -> list[str]:
    said = subprocess.run(["podman", "ps", "--all", "--quiet"], capture_output=True, text=True, check=True)
    return said.stdout.split()


def podmans() -> list[str]:
    """The containers that podman has, but those that were there before these tests."""
    return [one for one in containers() if one not in EARLIER]


EARLIER = frozenset(containers() if has_image("podman") else ())


HOLD = """
import hashlib, os, sys, time
held = os.urandom(int(sys.argv[1]))
digest = hashlib.sha256(held).hexdigest()
for _ in range(80):
    print(digest, flush=True)
    time.sleep(0.02)
sys.exit(hashlib.sha256(held).hexdigest() != digest)
"""


@pytest.mark.parametrize("image", [pytest.param("", marks=CRIU), pytest.param(IMAGE, marks=PODMAN)])
def test_much_memory_is_put_away_while_criu_still_writes_it_and_comes_back_as_it_was(
    daemon: FakeDaemon, start_agent: StartAgent, image: str
) -> None:
    size = 2 * WORTH_STORING
    start_agent(resources=msgspec.structs.asdict(Resources(2, size + 256 * MEBI)))
    job = spec(
        *("python3" if image else "{python}", "-c", HOLD, str(size)),
        freeze=FreezeMethod.CRIU, memory=size + 256 * MEBI, image=image,
        runtime=RuntimeWish.PODMAN if image else RuntimeWish.AUTO,
    )  # fmt: skip
    launch = daemon.launch(job)
    wait_for_lines(daemon, 3)
    daemon.freeze()
    taken = frozen(daemon).snapshot
    said = map(json.loads, daemon.paths.allocation(launch.allocation).log.read_text().splitlines())
    (early,) = (line["early_bytes"] for line in said if line["event"] == "agent.frozen")
    assert size <= early <= taken.bytes
    daemon.launch(job, fence=2, thaw_from=taken)

    assert exited(daemon, fence=2).code == 0
    assert len(set(printed(daemon, "1", 1) + printed(daemon, "1", 2))) == 1


@CRIU
def test_the_segment_file_of_a_thawed_process_tells_of_its_new_segment(
    daemon: FakeDaemon, start_agent: StartAgent
) -> None:
    start_agent()
    job = python(TELL_SEGMENT, freeze=FreezeMethod.CRIU)
    daemon.launch(job)
    wait_for_lines(daemon, 5)
    daemon.freeze()
    daemon.launch(job, fence=2, thaw_from=frozen(daemon).snapshot)

    assert exited(daemon, fence=2).code == 0
    assert printed(daemon, "1", 2)[-1] == "2"


@CRIU
def test_one_that_criu_cannot_freeze_saves_itself_if_it_listens(
    daemon: FakeDaemon, start_agent: StartAgent, listener: int
) -> None:
    start_agent()
    job = spec(
        *("{python}", "-c", CONNECT + SAVER, "100000", "0.02"),
        freeze=FreezeMethod.AUTO,
        environment=(("PORT", str(listener)),),
    )
    daemon.launch(job)
    wait_for_lines_of_progress(daemon)
    daemon.freeze()

    end = frozen(daemon)
    assert end.snapshot.needs == (), "it can go on anywhere"
    assert [path.name for path in (daemon.paths.job(JobId("1")).snapshot(end.snapshot.id).root / "files").iterdir()]


@CRIU
def test_one_that_criu_can_freeze_saves_itself_where_that_has_cost_less(
    daemon: FakeDaemon, start_agent: StartAgent
) -> None:
    start_agent()
    job = spec("{python}", "-c", SAVER, "100000", "0.02", freeze=FreezeMethod.AUTO)
    daemon.launch(job, prefers=FreezeMethod.APP)
    wait_for_lines_of_progress(daemon)
    daemon.freeze()
    saved = frozen(daemon)
    daemon.launch(job, fence=2, thaw_from=saved.snapshot, prefers=FreezeMethod.CRIU)
    daemon.wait_for(lambda said: [each for each in said if isinstance(each, Progressed) and each.fence == 2])
    daemon.freeze(fence=2)

    assert (saved.snapshot.needs, frozen(daemon, fence=2).snapshot.needs) == ((), ("criu",))


def wait_for_lines_of_progress(daemon: FakeDaemon) -> None:
    daemon.wait_for_kind(Progressed)


@CRIU
def test_one_that_criu_cannot_freeze_and_that_does_not_listen_is_ended_with_the_reason(
    daemon: FakeDaemon, start_agent: StartAgent, listener: int
) -> None:
    start_agent()
    code = CONNECT + "import time\nprint('connected', flush=True)\ntime.sleep(600)"
    daemon.launch(python(code, freeze=FreezeMethod.CRIU, environment=(("PORT", str(listener)),)))
    wait_for_lines(daemon, 1)
    daemon.freeze()

    end = exited(daemon)
    assert (end.code, end.cause) == (-9, "agent")
    assert end.reason == "asked (criu: inet: Connected TCP socket, consider using --tcp-established option.)"


@CRIU
def test_one_whose_snapshot_cannot_be_put_away_goes_on_where_it_is(daemon: FakeDaemon, start_agent: StartAgent) -> None:
    start_agent()
    launch = daemon.launch(busy_tree(150))
    daemon.launch(busy_tree(150), job="2")
    wait_for_lines(daemon, 5)
    daemon.paths.job(JobId("1")).snapshots.write_text("no folder")
    soon = SegmentPlan(freeze_at=Millis(now() + 50), ends_at=None, save_every_ms=None)
    daemon.post(Replan(id=daemon.next_id(), allocation=launch.allocation, job=JobId("1"), fence=Fence(1), plan=soon))

    assert exited(daemon).digest == exited(daemon, "2").digest != ""
    log = daemon.paths.allocation(launch.allocation).log.read_text()
    assert "what was frozen could not be put away" in log
    assert [said for said in daemon.said if isinstance(said, Launched) and said.job == "1" and said.fence == 1]


@CRIU
def test_a_snapshot_whose_memory_has_a_flipped_bit_is_rejected_and_nothing_runs(
    daemon: FakeDaemon, start_agent: StartAgent
) -> None:
    start_agent()
    daemon.launch(busy_tree(100_000))
    wait_for_lines(daemon, 5)
    daemon.freeze()
    taken = frozen(daemon).snapshot
    pages = daemon.paths.job(JobId("1")).snapshot(taken.id).root / "files" / "images" / "pages-1.img"
    content = bytearray(pages.read_bytes())
    content[len(content) // 2] ^= 1
    pages.write_bytes(content)
    daemon.launch(busy_tree(100_000), fence=2, thaw_from=taken)

    end = daemon.wait_for_end(fence=2)
    assert isinstance(end, SnapshotRejected)
    # Its own where it was not compressed, as the disk is quick; else zstd's finds it first.
    assert "'images/pages-1.img'" in end.reason
    assert "match its checksum" in end.reason or "match checksum" in end.reason
    assert printed(daemon, "1", 2) == []


@CRIU
def test_one_that_is_killed_while_criu_thaws_it_ends_at_once_and_its_snapshot_is_not_blamed(
    daemon: FakeDaemon, start_agent: StartAgent, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (first := tmp_path / "first").mkdir()
    monkeypatch.setenv("PATH", f"{first}:{os.environ['PATH']}")
    start_agent()
    daemon.launch(busy_tree(100_000))
    wait_for_lines(daemon, 5)
    daemon.freeze()
    taken = frozen(daemon).snapshot
    (first / "criu").write_text(f"#!/bin/sh\ntouch {first}/begun\nexec sleep 600\n")
    (first / "criu").chmod(0o755)
    daemon.launch(busy_tree(100_000), fence=2, thaw_from=taken)
    wait_for("the thaw", (first / "begun").exists, seconds=PATIENCE_SECONDS)
    begun = time.monotonic()
    daemon.kill(fence=2)

    end = exited(daemon, fence=2)
    assert (end.code, end.cause) == (-9, "agent")
    assert time.monotonic() - begun < THAW_SECONDS / 2


@CRIU
def test_when_the_agent_is_killed_nothing_of_a_guest_in_namespaces_lives_on(
    daemon: FakeDaemon, start_agent: StartAgent
) -> None:
    agent = start_agent()
    daemon.launch(busy_tree(100_000))
    wait_for_lines(daemon, 5)

    agent.process.kill()

    wait_for("the guest to be gone", lambda: not working_on(BUSY_TREE), seconds=PATIENCE_SECONDS)


def working_on(program: Path) -> list[str]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if os.fsencode(program) in words:
                found.append(entry.name)
    return found


@NO_CRIU
def test_without_criu_one_that_may_be_frozen_anyhow_saves_itself_if_it_listens(
    daemon: FakeDaemon, start_agent: StartAgent
) -> None:
    start_agent()
    daemon.launch(spec("{python}", "-c", SAVER, "100000", "0.02", freeze=FreezeMethod.AUTO))
    wait_for_lines_of_progress(daemon)
    daemon.freeze()

    assert frozen(daemon).snapshot.needs == ()


@NO_CRIU
def test_without_criu_one_that_does_not_listen_is_ended_when_it_must_go(
    daemon: FakeDaemon, start_agent: StartAgent
) -> None:
    start_agent()
    job = spec("/bin/sh", "-c", "echo here; sleep 600", freeze=FreezeMethod.AUTO)
    daemon.launch(job)
    wait_for_lines(daemon, 1)
    daemon.freeze()

    end = exited(daemon)
    assert (end.code, end.cause, end.reason) == (-9, "agent", "asked (it has no handler for SIGUSR1)")

"""A command is tried as a guest: what can be frozen goes on to the same result, and of what cannot it is said why."""

import subprocess
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from idleq.ids import Millis
from idleq.migration.confinement import OWNER_LABEL
from idleq.processes import read_children
from idleq.scheduler.agent.alone import Alone
from idleq.scheduler.agent.errors import TrialFailed
from idleq.scheduler.agent.main import runtimes_of
from idleq.scheduler.agent.trial import Trial, Tried, Tryout
from idleq.scheduler.clock import SteadyClock
from idleq.scheduler.core.submission import FreezeMethod, JobSpec, Mount, RuntimeWish
from support.agents import python, saver, shell
from support.containers import CRIU, IMAGE, IMAGES

SAME = "frozen half-way and gone on with elsewhere, its result is the same"
NO_HANDLER = "it has no handler for SIGUSR1, by which it would be asked to save itself"
NOT_HERE = Tried(way=FreezeMethod.CRIU, works=False, found="not here")


def tried(tmp_path: Path, spec: JobSpec, *, patience_ms: int = 60_000, without_criu: str = "not here") -> Tryout:
    """Try *spec*; nothing of it is left."""
    scratch = tmp_path / "scratch"
    alone = Alone(
        runtime=runtimes_of(str(scratch)),
        clock=SteadyClock(),
        scratch=scratch,
        patience_ms=Millis(patience_ms),
        environment={"PATH": "/usr/bin:/bin"},
        without_criu=without_criu,
    )
    try:
        return Trial(alone).of(spec)
    finally:
        assert list(scratch.iterdir()) == []
        assert read_children() == set()


def by_itself(came: Tryout) -> Tried:
    """What came of asking it to save itself, where there is no criu."""
    first, second = came.tried
    assert first == NOT_HERE
    return second


def test_what_saves_itself_and_goes_on_to_the_same_result_can_be_frozen_so(tmp_path: Path) -> None:
    came = tried(tmp_path, saver(60))

    assert by_itself(came) == Tried(way=FreezeMethod.APP, works=True, found=SAME)
    assert (came.files, came.advice) == (1, FreezeMethod.APP)


def test_what_has_no_handler_for_its_signal_is_not_asked_to_save_itself(tmp_path: Path) -> None:
    came = tried(tmp_path, shell("sleep 1; echo done > out"))

    assert by_itself(came) == Tried(way=FreezeMethod.APP, works=False, found=NO_HANDLER)
    assert (came.files, came.advice) == (1, FreezeMethod.NONE)


# It says that it has saved itself, and keeps less than it needs.
FORGETFUL = """
import os, pathlib, signal, sys, time
saved = pathlib.Path(os.environ["IDLEQ_CHECKPOINT_DIR"]) / "state"
asked = []
signal.signal(signal.SIGUSR1, lambda *_: asked.append(1))
total = int(saved.read_text()) if saved.exists() else 0
for step in range(50):
    if asked:
        saved.write_text(str(total))
        sys.exit(85)
    total += 1
    time.sleep(0.02)
{end}
"""


@pytest.mark.parametrize(
    ("end", "what"), [("open('total', 'w').write(str(total))", "total"), ("print(total)", "what it prints")]
)
def test_what_forgets_something_is_found_out_by_its_result(tmp_path: Path, end: str, what: str) -> None:
    came = by_itself(tried(tmp_path, python(FORGETFUL.format(end=end))))

    assert came == Tried(
        way=FreezeMethod.APP, works=False, found=f"it went on to its end, but its result is another: {what} differs"
    )


def test_what_differs_from_run_to_run_is_not_held_against_it(tmp_path: Path) -> None:
    end = "open('when', 'w').write(str(time.time_ns()))"

    came = by_itself(tried(tmp_path, python(FORGETFUL.format(end=end))))

    assert came == Tried(
        way=FreezeMethod.APP,
        works=True,
        found="it went on to its end; undisturbed, too, when differs from run to run",
    )


@pytest.mark.parametrize(
    ("handler", "because"),
    [
        ("sys.exit(85)", "said that it has saved (exit 85), but its checkpoint folder is empty"),
        ("sys.exit(7)", "exit code 7"),
        ("os.kill(os.getpid(), signal.SIGKILL)", "ended by signal 9"),
    ],
)
def test_of_what_does_not_save_itself_when_asked_it_is_said_what_it_did_instead(
    tmp_path: Path, handler: str, because: str
) -> None:
    code = f"import os, signal, sys, time\nsignal.signal(signal.SIGUSR1, lambda *_: {handler})\ntime.sleep(1)"

    assert by_itself(tried(tmp_path, python(code))).found == f"asked by SIGUSR1 to save itself: {because}"


def test_what_ignores_that_it_is_asked_goes_on_to_its_end(tmp_path: Path) -> None:
    code = "import signal, time\nsignal.signal(signal.SIGUSR1, lambda *_: None)\ntime.sleep(1)"

    assert by_itself(tried(tmp_path, python(code))).found == "asked by SIGUSR1 to save itself, it went on to its end"


@pytest.mark.parametrize(
    ("script", "because"),
    [
        ("echo no input >&2; exit 3", "undisturbed it ends with exit code 3, and says: no input"),
        ("kill -9 $$", "undisturbed it ends with signal 9"),
        ("exit 0", r"it is over in [0-9]+ ms, too soon to be frozen"),
        ("sleep 600", "after 0.3 s it has not ended; try it with less to do"),
    ],
)
def test_what_cannot_be_tried_is_refused_with_what_to_do(tmp_path: Path, script: str, because: str) -> None:
    with pytest.raises(TrialFailed, match=because):
        tried(tmp_path, shell(script), patience_ms=300)


def test_a_program_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TrialFailed, match="it cannot be tried: there is no program 'nowhere-at-all'"):
        tried(tmp_path, JobSpec(name="x", argv=("nowhere-at-all",), resources=saver(1).resources))


@pytest.mark.parametrize(
    ("given", "because"),
    [
        ({"runtime": RuntimeWish.AUTO}, "it cannot be tried: neither podman nor docker is on this node"),
        ({"mounts": (Mount(source="/etc", target="/data"),)}, "it cannot be tried: /etc lies in none of the folders"),
    ],
)
def test_an_image_is_refused_where_a_job_of_it_would_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: dict[str, Any], because: str
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")

    with pytest.raises(TrialFailed, match=because):
        tried(tmp_path, structs.replace(shell("sleep 1"), image=IMAGE, **given))


@CRIU
def test_by_criu_what_knows_nothing_of_idleq_goes_on_to_the_same_result(tmp_path: Path) -> None:
    script = 'exec 3> out; for i in $(seq 40); do echo "$i"; echo "$i" >&3; sleep 0.05; done'

    came = tried(tmp_path, shell(script), without_criu="")

    assert came.tried[0] == Tried(way=FreezeMethod.CRIU, works=True, found=SAME)
    assert came.advice is FreezeMethod.CRIU


@CRIU
def test_what_both_criu_and_the_program_can_freeze_is_best_left_to_the_node(tmp_path: Path) -> None:
    assert tried(tmp_path, saver(60), without_criu="").advice is FreezeMethod.AUTO


@pytest.mark.parametrize("engine", IMAGES)
def test_an_image_is_tried_by_criu_in_its_engine_and_nothing_of_it_is_left(tmp_path: Path, engine: str) -> None:
    script = 'exec 3> out; for i in $(seq 60); do echo "$i"; echo "$i" >&3; sleep 0.05; done'
    job = structs.replace(shell(script), image=IMAGE, runtime=RuntimeWish(engine))

    came = tried(tmp_path, job, without_criu="")

    assert came.tried == (
        Tried(way=FreezeMethod.CRIU, works=True, found=SAME),
        Tried(way=FreezeMethod.APP, works=False, found=NO_HANDLER),
    )
    assert (came.files, came.advice) == (1, FreezeMethod.CRIU)
    mine = [engine, "ps", "--all", "--quiet", f"--filter=label={OWNER_LABEL}={tmp_path / 'scratch'}"]
    assert subprocess.run(mine, capture_output=True, text=True, check=True).stdout == ""


@pytest.mark.parametrize("engine", IMAGES)
def test_an_image_that_is_not_here_is_refused(tmp_path: Path, engine: str) -> None:
    with pytest.raises(TrialFailed, match=r"it cannot be tried: .*nonesuch"):
        tried(tmp_path, structs.replace(shell("sleep 1"), image="nonesuch:1", runtime=RuntimeWish(engine)))

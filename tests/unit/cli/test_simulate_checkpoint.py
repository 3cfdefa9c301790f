"""`idleq simulate --checkpoint`: signals, files, refusals; and as a guest of idleq."""

import json
import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from idleq.simulator.errors import CheckpointNotKept
from support.command_line import CommandLine


@pytest.fixture
def home(idleq: CommandLine, tmp_path: Path) -> Path:
    """A home of one's own, so that nobody's traces are seen."""
    idleq.environment |= {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    return tmp_path


@pytest.fixture
def told_once(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[signal.Signals]]:
    """The signals that the process gets when a simulation next begins; SIGINT too, though whoever started the tests ignores it."""
    from idleq.simulator.kernel import run_out

    before = signal.signal(signal.SIGINT, signal.default_int_handler)

    to_send: list[signal.Signals] = []

    def run_out_and_be_told(*arguments: Any) -> None:
        while to_send:
            os.kill(os.getpid(), to_send.pop())
        run_out(*arguments)

    monkeypatch.setattr("idleq.simulator.queueing.main_queue.run_out", run_out_and_be_told)
    yield to_send
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGUSR1])
def test_a_run_that_is_told_to_leave_is_kept_and_gone_on_with(
    idleq: CommandLine, home: Path, told_once: list[signal.Signals], number: signal.Signals
) -> None:
    file, starts = home / "kept", home / "starts.csv"
    command = ("simulate", "small", "--checkpoint", str(file), "--starts", str(starts))
    told_once.append(number)

    left = idleq(*command)

    assert (left.code, left.out, starts.exists()) == (85, "", False)
    assert "the same command goes on from there" in left.err
    assert file.stat().st_mode & 0o777 == 0o600
    assert idleq(*command).code == 0
    assert not file.exists()
    went_on = starts.read_text()
    assert idleq("simulate", "small", "--starts", str(starts)).code == 0
    assert starts.read_text() == went_on


def test_other_settings_are_refused_and_the_file_stays(
    idleq: CommandLine, home: Path, told_once: list[signal.Signals]
) -> None:
    file = home / "kept"
    told_once.append(signal.SIGTERM)
    assert idleq("simulate", "small", "--checkpoint", str(file)).code == 85
    kept = file.read_bytes()

    outcome = idleq("simulate", "small", "--policy", "fcfs", "--checkpoint", str(file))

    assert (outcome.code, "other settings" in outcome.err, file.read_bytes() == kept) == (43, True, True)


def test_a_file_that_others_could_have_written_is_not_read(idleq: CommandLine, home: Path) -> None:
    file = home / "kept"
    file.write_text("x")
    file.chmod(0o644)
    outcome = idleq("simulate", "small", "--checkpoint", str(file))
    assert (outcome.code, "runs as code" in outcome.err, file.read_text()) == (44, True, "x")
    assert f"chmod 600 {file}" in outcome.err


def test_a_link_is_not_followed(idleq: CommandLine, home: Path) -> None:
    (home / "elsewhere").write_text("x")
    (home / "kept").symlink_to(home / "elsewhere")
    assert idleq("simulate", "small", "--checkpoint", str(home / "kept")).code == 44


def test_a_damaged_file_is_refused_and_stays(idleq: CommandLine, home: Path) -> None:
    file = home / "kept"
    file.write_bytes(b"nothing of the kind")
    file.chmod(0o600)
    outcome = idleq("simulate", "small", "--checkpoint", str(file))
    assert (outcome.code, "remove it to begin anew" in outcome.err) == (44, True)
    assert file.read_bytes() == b"nothing of the kind"


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("--checkpoint", "no/where"), 42),
        (("--checkpoint", "kept", "--engine", "fast"), 59),
        (("--checkpoint", "kept", "--checkpoint-every", "0"), 59),
        (("--checkpoint-every", "5"), 59),
    ],
)
@pytest.mark.usefixtures("home")
def test_what_cannot_be_kept_is_told_first(idleq: CommandLine, arguments: tuple[str, ...], code: int) -> None:
    assert idleq("simulate", "small", *arguments).code == code


def test_a_guest_of_idleq_keeps_generations_and_tells_its_agent(
    idleq: CommandLine, home: Path, told_once: list[signal.Signals]
) -> None:
    control, folder = home / "control", home / "checkpoints"
    control.mkdir()
    (control / "segment.json").write_text(json.dumps({"format": 1, "signal": "SIGUSR2", "save_every_ms": 1}))
    idleq.environment |= {"IDLEQ_CHECKPOINT_DIR": str(folder), "IDLEQ_CONTROL": str(control), "IDLEQ_JOB_ID": "7"}
    told_once.append(signal.SIGUSR2)

    assert idleq("simulate", "small").code == 85
    assert [path.name for path in folder.iterdir()] == ["generation-00000001"]
    (folder / ".tmp-2").mkdir()
    assert idleq("simulate", "small").code == 0

    assert list(folder.iterdir()) == []
    told = [json.loads(line) for line in (control / "saved.jsonl").read_text().splitlines()]
    assert [line["step"] for line in told] == list(range(1, len(told) + 1))
    assert all(line["bytes"] > 1000 for line in told)


def test_two_generations_are_kept(tmp_path: Path) -> None:
    from idleq.cli.checkpointfiles import Generations

    store = Generations(tmp_path, None)
    for content in (b"1", b"2", b"3"):
        store.write(content)
    assert [(Path(name).name, read()) for name, read in store.kept()] == [
        ("generation-00000003", b"3"),
        ("generation-00000002", b"2"),
    ]


def test_an_older_generation_is_taken_where_the_newest_may_not_be_read(
    idleq: CommandLine, home: Path, told_once: list[signal.Signals]
) -> None:
    folder = home / "checkpoints"
    idleq.environment |= {"IDLEQ_CHECKPOINT_DIR": str(folder)}
    told_once.append(signal.SIGTERM)
    assert idleq("simulate", "small").code == 85
    newest = folder / "generation-00000002"
    shutil.copytree(folder / "generation-00000001", newest)
    (newest / "simulation").chmod(0o644)
    assert idleq("simulate", "small").code == 0


def test_an_agent_that_cannot_be_told_of_a_save_ends_nothing(tmp_path: Path) -> None:
    from idleq.cli.checkpointfiles import Generations

    said = list[str]()
    store = Generations(tmp_path / "kept", tmp_path / "gone", said.append)
    store.check()
    store.write(b"1")
    assert [read() for _, read in store.kept()] == [b"1"]
    assert [line.endswith("No such file or directory; what was saved is kept") for line in said] == [True]


def test_a_comparison_that_cannot_be_written_is_still_kept(
    idleq: CommandLine, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from idleq.simulator.study import output

    file, out = home / "kept", home / "out"
    command = ("simulate", "small", "--days", "0.2", "--guests", "enough", "--no-plots", "--out", str(out))
    with monkeypatch.context() as broken:
        broken.setattr(output, "render", lambda *_: Path("/proc/no/such").read_text())
        assert idleq(*command, "--checkpoint", str(file)).code != 0
    assert file.is_file()
    with monkeypatch.context() as unneeded:
        unneeded.setattr("idleq.simulator.gain.Performance", lambda *_: pytest.fail("it was done"))
        assert idleq(*command, "--checkpoint", str(file)).code == 0
    assert (file.exists(), (out / "index.html").is_file()) == (False, True)


def test_a_file_that_cannot_be_written_leaves_the_one_before(tmp_path: Path) -> None:
    from idleq.cli.checkpointfiles import Generations

    store = Generations(tmp_path, None)
    store.write(b"1")
    (tmp_path / ".tmp-2").write_text("in the way")
    with pytest.raises(CheckpointNotKept):
        store.write(b"2")
    assert [read() for _, read in store.kept()] == [b"1"]


def test_with_guests_too_a_run_is_kept_and_gone_on_with(
    idleq: CommandLine, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from idleq.simulator import kernel

    looks, left = [0], 0
    command = ("--json", "simulate", "small", "--days", "0.5", "--guests", "enough", "--strategies", "none,idleq")
    alone = json.loads(idleq(*command).out)
    go_on = kernel.go_on

    def go_on_and_be_told(env: Any, to: int, between: Any, *more: Any) -> None:
        def counted() -> None:
            looks[0] += 1
            if looks[0] in {1, 2, 4, 7}:
                os.kill(os.getpid(), signal.SIGTERM)
            between()

        go_on(env, to, counted, *more)

    monkeypatch.setattr("idleq.simulator.kernel.go_on", go_on_and_be_told)
    while (outcome := idleq(*command, "--checkpoint", str(home / "kept"))).code == 85:
        left += 1

    assert (left >= 3, outcome.code, json.loads(outcome.out)) == (True, 0, alone)
    assert not (home / "kept").exists()

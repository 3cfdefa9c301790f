"""The guest's half of the workload contract."""

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from idleq.workloads.checkpoint import CheckpointStore
from idleq.workloads.contract import Places, Segment, SegmentFile, StopFlag, append_line, parse_segment
from idleq.workloads.errors import BadOption, CheckpointRefused
from idleq.workloads.guest import SEGMENT_SECONDS, Guest, require_parts

WRITTEN = {
    "format": 1,
    "segment": 3,
    "freeze_at": 1780000000000,
    "ends_at": None,
    "save_every_ms": 60000,
    "signal": "SIGUSR2",
    "cores": 1,
    "memory": 2147483648,
    "gpus": 0,
}


class FakeClock:
    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds

    def advance(self, seconds: float) -> None:
        self.seconds += seconds


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def places(tmp_path: Path) -> Places:
    (tmp_path / "control").mkdir()
    return Places(checkpoints=tmp_path / "checkpoints", output=tmp_path / "output", control=tmp_path / "control")


@pytest.fixture
def own_handlers() -> Iterator[None]:
    """Whatever a test makes of what asks a process to end, it is put back."""
    before = [(number, signal.getsignal(number)) for number in (signal.SIGTERM, signal.SIGINT)]
    yield
    for number, handler in before:
        signal.signal(number, handler)


def a_guest(places: Places, clock: FakeClock, *, kind: str = "test", seed: int = 1) -> Guest:
    return Guest(places=places, kind=kind, identity={"seed": seed}, clock=clock)


def write_segment(places: Places, **changes: object) -> None:
    assert places.control is not None
    beside = places.control / "segment.new"
    beside.write_text(json.dumps({**WRITTEN, **changes}))
    beside.replace(places.control / "segment.json")


def test_a_segment_is_read_as_it_is_written() -> None:
    assert parse_segment(json.dumps(WRITTEN)) == Segment(
        number=3,
        freeze_at=1780000000000,
        ends_at=None,
        save_every_ms=60000,
        signal="SIGUSR2",
        cores=1,
        memory=2147483648,
        gpus=0,
    )


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[]", "not an object"),
        ('{"format": 2}', "format 2"),
        ('{"format": 1, "signal": "SIGNOPE"}', "unknown signal"),
        ('{"format": 1, "freeze_at": "soon"}', "freeze_at"),
        ('{"format": 1, "save_every_ms": -1}', "save_every_ms"),
        ('{"format": 1, "cores": true}', "cores"),
        ("{", "Expecting"),
    ],
)
def test_a_bad_segment_is_refused_with_the_reason(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        parse_segment(text)


def test_the_segment_file_is_read_again_when_replaced(places: Places) -> None:
    assert places.control is not None
    file = SegmentFile(places.control / "segment.json")
    assert file.current() == Segment()
    write_segment(places, segment=1)
    assert file.current().number == 1
    write_segment(places, segment=2)
    assert file.current().number == 2


def test_an_unreadable_segment_file_leaves_the_last_one_in_force(places: Places) -> None:
    assert places.control is not None
    told: list[str] = []
    file = SegmentFile(places.control / "segment.json", told.append)
    write_segment(places, segment=1)
    assert file.current().number == 1
    (places.control / "segment.json").write_text("{half")
    assert file.current().number == 1
    assert file.current().number == 1
    assert len(told) == 1


def test_the_environment_names_the_folders() -> None:
    environ = {"IDLEQ_CHECKPOINT_DIR": "/c", "IDLEQ_OUTPUT_DIR": "/o", "IDLEQ_CONTROL": "/s"}
    assert Places.from_environment(environ, "/ignored") == Places(
        checkpoints=Path("/c"), output=Path("/o"), control=Path("/s")
    )


def test_a_plain_run_keeps_everything_below_its_output() -> None:
    assert Places.from_environment({}, "results") == Places(
        checkpoints=Path("results/.checkpoints"), output=Path("results"), control=None
    )


def test_no_place_for_results_is_a_bad_option() -> None:
    with pytest.raises(BadOption, match="--output"):
        Places.from_environment({}, None)


def test_the_signal_sets_the_flag_and_the_old_handler_comes_back() -> None:
    before = signal.getsignal(signal.SIGUSR1)
    with StopFlag() as flag:
        flag.listen_for("SIGUSR1")
        assert not flag.is_set
        os.kill(os.getpid(), signal.SIGUSR1)
        assert flag.is_set
    assert signal.getsignal(signal.SIGUSR1) == before


@pytest.mark.usefixtures("own_handlers")
def test_what_asks_a_process_to_end_sets_the_flag_unless_it_is_ignored() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # as a shell without job control starts a program in the background
    with StopFlag() as flag:
        flag.listen_to_people()
        signal.raise_signal(signal.SIGINT)
        assert not flag.is_set
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGTERM)
        assert flag.is_set
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == (signal.SIG_DFL, signal.SIG_IGN)


def test_a_guest_goes_on_until_it_is_asked_to_stop(places: Places, clock: FakeClock) -> None:
    with a_guest(places, clock) as guest:
        guest.restore()
        assert guest.may_go_on(1, dict)
        os.kill(os.getpid(), signal.SIGUSR1)
        assert not guest.may_go_on(2, lambda: {"state": b"two"})
    saved = CheckpointStore(places.checkpoints).load()
    assert saved is not None
    assert (saved.kind, saved.step, saved.identity, saved.parts) == (
        "test",
        2,
        {"seed": 1},
        {"state": b"two", "progress.jsonl": b""},
    )


def test_a_new_segment_may_bring_another_signal(places: Places, clock: FakeClock) -> None:
    with a_guest(places, clock) as guest:
        write_segment(places, signal="SIGUSR2", save_every_ms=None)
        clock.advance(SEGMENT_SECONDS)
        assert guest.may_go_on(1, dict)
        os.kill(os.getpid(), signal.SIGUSR2)
        assert guest.should_stop


def test_an_insurance_save_is_made_when_due_and_the_job_goes_on(places: Places, clock: FakeClock) -> None:
    write_segment(places, save_every_ms=60_000)
    with a_guest(places, clock) as guest:
        assert guest.may_go_on(1, dict)
        assert CheckpointStore(places.checkpoints).load() is None
        clock.advance(60)
        assert guest.may_go_on(2, lambda: {"state": b"two"})
        assert guest.may_go_on(3, dict)
    saved = CheckpointStore(places.checkpoints).load()
    assert saved is not None
    assert saved.step == 2
    assert places.control is not None
    lines = [json.loads(line) for line in (places.control / "saved.jsonl").read_text().splitlines()]
    assert [(line["step"], sorted(line)) for line in lines] == [(2, ["bytes", "seconds", "step"])]


def test_progress_is_rolled_back_to_the_checkpoint(places: Places, clock: FakeClock) -> None:
    with a_guest(places, clock) as guest:
        guest.restore()
        guest.report(1, 3, {"loss": 0.5})
        os.kill(os.getpid(), signal.SIGUSR1)
        assert not guest.may_go_on(1, dict)
    append_line(places.output / "progress.jsonl", {"step": 2, "total": 3, "metrics": {"loss": 9.0}})
    with a_guest(places, clock) as guest:
        guest.restore()
        guest.report(2, 3, {"loss": 0.25})
    assert (places.output / "progress.jsonl").read_text() == (
        '{"step": 1, "total": 3, "metrics": {"loss": 0.5}}\n{"step": 2, "total": 3, "metrics": {"loss": 0.25}}\n'
    )


def test_a_job_from_the_beginning_has_no_progress(places: Places, clock: FakeClock) -> None:
    places.output.mkdir()
    (places.output / "progress.jsonl").write_text("an earlier run\n")
    with a_guest(places, clock) as guest:
        assert guest.restore() is None
    assert (places.output / "progress.jsonl").read_text() == ""


@pytest.mark.parametrize(("kind", "seed", "reason"), [("other", 1, "of a 'test' job"), ("test", 2, "seed = 1")])
def test_the_checkpoint_of_another_job_is_refused(
    places: Places, clock: FakeClock, kind: str, seed: int, reason: str
) -> None:
    with a_guest(places, clock) as guest:
        os.kill(os.getpid(), signal.SIGUSR1)
        guest.may_go_on(1, dict)
    with a_guest(places, clock, kind=kind, seed=seed) as guest, pytest.raises(CheckpointRefused, match=reason):
        guest.restore()


def test_a_state_with_a_part_left_out_is_refused(places: Places, clock: FakeClock) -> None:
    with a_guest(places, clock) as guest:
        os.kill(os.getpid(), signal.SIGUSR1)
        guest.may_go_on(1, lambda: {"one": b"1"})
        checkpoint = guest.restore()
    assert checkpoint is not None
    with pytest.raises(CheckpointRefused, match="lacks other, third"):
        require_parts(checkpoint, ("one", "other", "third"))

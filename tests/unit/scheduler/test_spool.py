from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from idleq.ids import AllocationId, CommandId, Fence, JobId, Millis
from idleq.scheduler.core.commands import Kill, Replan, SegmentPlan
from idleq.scheduler.errors import BadMessage
from idleq.scheduler.paths import ServerPaths
from idleq.scheduler.spool import AgentSpool, Answer, DaemonSpool, Question, whole_lines

A12 = AllocationId("a12")


def kill(number: int) -> Kill:
    return Kill(id=CommandId(number), allocation=A12, job=JobId(str(number)), fence=Fence(1), reason="over")


def replan(number: int) -> Replan:
    plan = SegmentPlan(freeze_at=None, ends_at=None, save_every_ms=None)
    return Replan(id=CommandId(number), allocation=A12, job=JobId(str(number)), fence=Fence(1), plan=plan)


def answer(beat: int, *, leave: bool = False) -> Answer:
    return Answer(beat=beat, taken=7, lease_ms=Millis(60_000), leave=leave, daemon="d1")


@pytest.fixture
def paths(tmp_path: Path) -> ServerPaths:
    made = ServerPaths(tmp_path / "q")
    made.create()
    made.allocation(A12).root.mkdir()
    return made


def test_commands_lie_in_the_order_of_their_ids_until_the_agent_has_them(paths: ServerPaths) -> None:
    daemon, agent = DaemonSpool(paths, 0), AgentSpool(paths.allocation(A12))
    assert agent.commands() == ()
    for number in (10, 9, 100, 9):
        daemon.send(kill(number))
    assert agent.commands() == (kill(9), kill(10), kill(100))
    agent.take([CommandId(9), CommandId(100)])
    agent.take([CommandId(9)])
    assert agent.commands() == (kill(10),)


def test_what_is_being_written_is_no_command(paths: ServerPaths) -> None:
    DaemonSpool(paths, 0).send(kill(1))
    (paths.allocation(A12).inbox / ".000000000002.json.xyz").write_bytes(b'{"id": 2, "ki')
    assert AgentSpool(paths.allocation(A12)).commands() == (kill(1),)


def test_a_command_of_a_newer_idleq_is_refused_by_its_kind(paths: ServerPaths) -> None:
    DaemonSpool(paths, 0).send(kill(1))
    paths.allocation(A12).command(CommandId(1)).write_bytes(b'{"id": 1, "kind": "Teleport", "body": {}}')
    with pytest.raises(BadMessage, match="'Teleport' is not a kind"):
        AgentSpool(paths.allocation(A12)).commands()


def test_questions_and_answers_pass_and_only_the_last_counts(paths: ServerPaths) -> None:
    daemon, agent = DaemonSpool(paths, 0), AgentSpool(paths.allocation(A12))
    assert (daemon.question(A12), agent.answer()) == (None, None)
    for beat in (1, 2):
        agent.ask(Question(beat=beat, boot="b"))
        daemon.answer(A12, answer(beat))
    assert (daemon.question(A12), agent.answer()) == (Question(beat=2, boot="b"), answer(2))


def test_an_agent_whose_allocation_is_over_is_owed_nothing_and_told_to_leave(paths: ServerPaths) -> None:
    daemon, agent = DaemonSpool(paths, 0), AgentSpool(paths.allocation(A12))
    daemon.send(kill(1))
    daemon.answer(A12, answer(5))
    daemon.forget(A12)
    assert (agent.commands(), agent.answer()) == ((), answer(5, leave=True))


def test_an_agent_that_was_never_answered_is_told_to_leave_too(paths: ServerPaths) -> None:
    daemon = DaemonSpool(paths, 0)
    daemon.forget(A12)
    left = AgentSpool(paths.allocation(A12)).answer()
    assert left is not None
    assert left.leave
    daemon.forget(AllocationId("a99"))
    assert not paths.allocation(AllocationId("a99")).root.exists()


def test_what_a_replaced_daemon_wanted_started_is_not_and_what_it_wanted_ended_is(paths: ServerPaths) -> None:
    old, new, agent = DaemonSpool(paths, 1), DaemonSpool(paths, 2), AgentSpool(paths.allocation(A12))
    for command in (replan(1), replan(2), kill(3)):
        old.send(command)
    assert agent.commands(1) == (replan(1), replan(2), kill(3))
    new.send(replan(2))
    old.send(replan(2))  # back from a freeze, it says once more what it has journalled
    assert agent.commands(2) == (replan(2), kill(3))
    agent.take([CommandId(2), CommandId(3)])
    assert agent.commands(2) == ()
    assert agent.commands(1) == (replan(1),)


def test_an_agent_that_is_told_to_leave_hears_by_which_daemon(paths: ServerPaths) -> None:
    DaemonSpool(paths, 3).forget(A12)
    left = AgentSpool(paths.allocation(A12)).answer()
    assert left is not None
    assert left.epoch == 3


def test_only_we_can_read_what_is_said(paths: ServerPaths) -> None:
    daemon, agent = DaemonSpool(paths, 0), AgentSpool(paths.allocation(A12))
    daemon.send(kill(1))
    daemon.answer(A12, answer(1))
    agent.ask(Question(beat=1))
    folder = paths.allocation(A12)
    files = (folder.inbox, folder.command(CommandId(1)), folder.answer, folder.question)
    assert [file.stat().st_mode & 0o777 for file in files] == [0o700, 0o600, 0o600, 0o600]


class StaleShare:
    """Lists a folder as it was some listings ago: new files come late, removed ones stay."""

    def __init__(self, lags: Iterable[int]) -> None:
        self._lags = iter(lags)
        self._past: list[list[str]] = [[]]

    def __call__(self, folder: Path) -> list[str]:
        self._past.append([file.name for file in folder.iterdir()] if folder.exists() else [])
        return self._past[max(0, len(self._past) - 1 - next(self._lags, 0))]


STEPS = st.lists(
    st.one_of(
        st.integers(1, 6).map(lambda number: ("send", number)),
        st.just(("read", 0)),
        st.integers(0, 6).map(lambda many: ("take", many)),
    ),
    max_size=25,
)


@given(steps=STEPS, lags=st.lists(st.integers(0, 4), max_size=25))
def test_every_command_arrives_however_late_the_listing_and_never_again_once_it_is_taken(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int]], lags: list[int]
) -> None:
    paths = ServerPaths(tmp_path_factory.mktemp("share"))
    daemon, agent = DaemonSpool(paths, 0), AgentSpool(paths.allocation(A12), StaleShare(lags))
    waiting: set[int] = set()
    seen: list[int] = []
    for step, number in steps:
        if step == "send":
            daemon.send(kill(number))
            waiting.add(number)
        elif step == "read":
            commands = agent.commands()
            seen = [int(command.id) for command in commands]
            assert seen == sorted(seen)
            assert list(commands) == [kill(each) for each in seen]
            assert set(seen) <= waiting
        else:
            agent.take([CommandId(each) for each in seen[:number]])
            waiting -= set(seen[:number])
    fresh = AgentSpool(paths.allocation(A12))
    assert [int(command.id) for command in fresh.commands()] == sorted(waiting)


@given(
    lines=st.lists(st.binary(max_size=20).map(lambda line: line.replace(b"\n", b"")), max_size=8),
    cuts=st.lists(st.integers(0, 200), max_size=12),
)
def test_every_line_is_read_once_and_whole_wherever_the_file_ends_when_it_is_read(
    tmp_path_factory: pytest.TempPathFactory, lines: list[bytes], cuts: list[int]
) -> None:
    file = tmp_path_factory.mktemp("share") / "reports.jsonl"
    content = b"".join(line + b"\n" for line in lines)
    read, offset = whole_lines(file, 0)
    for end in [*sorted(min(cut, len(content)) for cut in cuts), len(content), len(content)]:
        file.write_bytes(content[:end])
        more, offset = whole_lines(file, offset)
        read += more
    assert (read, offset) == (lines, len(content))


def test_a_line_that_is_being_written_is_not_taken(tmp_path: Path) -> None:
    file = tmp_path / "reports.jsonl"
    file.write_bytes(b'{"number":1}\n{"num')
    assert whole_lines(file, 0) == ([b'{"number":1}'], 13)
    assert whole_lines(file, 13) == ([], 13)

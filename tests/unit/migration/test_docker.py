"""Docker's engine comes and goes: what becomes of its containers here, and what is said of what was frozen. With the real engine: tests/contract."""

import contextlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Any, cast

import pytest
import requests

from idleq.migration.docker import ENDED_UNSEEN, DockerRuntime
from idleq.migration.dockerengine import DockerEngine
from idleq.migration.errors import FreezeFailed, StartFailed, ThawFailed
from idleq.migration.ports import ContainerName, Ended, Order, RuntimeName
from testbed.waiting import wait_for

NAME = ContainerName("1.1")
NUMBER = 64 * "f"


@dataclass
class Engine:
    """An engine that may be away; its one container ends when it is told to, with *code*."""

    checkpoint_folder: Path
    is_away: bool = False
    breaks_off: bool = False
    code: int = 0
    thaw_failure: Exception | None = None
    has_ended: Event = field(default_factory=Event)
    was_asked_in_vain: Event = field(default_factory=Event)
    removed: list[str] = field(default_factory=list)

    def __call__(self) -> DockerEngine:
        if self.is_away:
            self.was_asked_in_vain.set()
            raise StartFailed("docker's engine does not answer")
        return cast("DockerEngine", self)

    def close(self) -> None:
        pass

    def of_owner(self, _owner: str) -> list[str]:
        return []

    def kept(self) -> dict[str, str]:
        return {}

    def create(self, _name: str, _container: object) -> str:
        return NUMBER

    @contextlib.contextmanager
    def attached(self, _number: str) -> Iterator[Iterator[Any]]:
        yield iter(())

    def image_of(self, _number: str) -> str:
        return "sha256:1"

    def start(self, _number: str) -> None:
        pass

    def start_from(self, _number: str) -> None:
        if self.thaw_failure is not None:
            raise self.thaw_failure

    def checkpoints(self, _number: str) -> Path:
        return self.checkpoint_folder

    @contextlib.contextmanager
    def awaited(self, _number: str) -> Iterator[Callable[[], int]]:
        yield self._broken_off if self.breaks_off else lambda: self.wait("")

    def _broken_off(self) -> int:
        self.has_ended.wait(30)
        raise requests.exceptions.ChunkedEncodingError("the engine went away")

    def wait(self, _number: str) -> int:
        self.has_ended.wait(30)
        self._answer()
        return self.code

    def kill(self, _number: str, _signal: int) -> None:
        self._answer()
        self.has_ended.set()

    def first_of(self, _number: str) -> int:
        return 0 if self.has_ended.is_set() else os.getpid()

    def checkpoint(self, _number: str) -> Path:
        self.has_ended.set()  # by itself, or by a criu that comes no further
        raise requests.HTTPError("it does not run")

    def has_run_out_of_memory(self, _number: str) -> bool:
        return False

    def remove(self, number: str) -> None:
        self._answer()
        self.removed.append(number)

    def _answer(self) -> None:
        if self.is_away:
            self.was_asked_in_vain.set()
            raise requests.ConnectionError("gone")


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    return Engine(tmp_path / "checkpoints")


@pytest.fixture
def runtime(engine: Engine) -> DockerRuntime:
    return DockerRuntime("a1", connect=engine)


def order(tmp_path: Path) -> Order:
    return Order(
        name=NAME, argv=["x"], environment={}, folder=Path("/"), stdout=tmp_path / "out", stderr=tmp_path / "err",
        runtime=RuntimeName.DOCKER, image="x",
    )  # fmt: skip


def images(tmp_path: Path) -> Path:
    (tmp_path / "images").mkdir()
    return tmp_path / "images"


def test_while_the_engine_is_away_nothing_is_told_and_a_kill_and_the_end_of_all_raise_nothing(
    engine: Engine, runtime: DockerRuntime, tmp_path: Path
) -> None:
    runtime.start(order(tmp_path))
    engine.is_away = True
    runtime.kill([NAME])
    assert runtime.ended() == []
    runtime.close()
    engine.has_ended.set()


def test_an_end_is_told_though_the_engine_goes_before_its_container_is_removed(
    engine: Engine, runtime: DockerRuntime, tmp_path: Path
) -> None:
    runtime.start(order(tmp_path))
    engine.has_ended.set()
    (running,) = runtime._running.values()
    running.follower.join(30)
    engine.is_away = True
    assert runtime.ended() == [Ended(NAME, 0)]
    assert engine.removed == []


@pytest.mark.parametrize(("code", "told"), [(255, Ended(NAME, -9, ENDED_UNSEEN)), (0, Ended(NAME, 0))])
def test_an_end_while_the_engine_is_away_is_told_once_it_is_back_and_255_is_not_its_own(
    engine: Engine, runtime: DockerRuntime, tmp_path: Path, code: int, told: Ended
) -> None:
    runtime.start(order(tmp_path))
    engine.is_away, engine.code = True, code
    engine.has_ended.set()
    assert engine.was_asked_in_vain.wait(30)
    assert runtime.ended() == []
    engine.is_away = False
    assert wait_for("the end", runtime.ended, seconds=30) == [told]


def test_255_of_an_engine_that_was_away_too_shortly_for_anybody_to_ask_is_not_its_own(
    engine: Engine, runtime: DockerRuntime, tmp_path: Path
) -> None:
    engine.breaks_off, engine.code = True, 255
    runtime.start(order(tmp_path))
    engine.has_ended.set()
    assert wait_for("the end", runtime.ended, seconds=30) == [Ended(NAME, -9, ENDED_UNSEEN)]


def test_255_that_the_engine_has_seen_is_its_own(engine: Engine, runtime: DockerRuntime, tmp_path: Path) -> None:
    engine.code = 255
    runtime.start(order(tmp_path))
    engine.has_ended.set()
    assert wait_for("the end", runtime.ended, seconds=30) == [Ended(NAME, 255)]


@pytest.mark.parametrize(("code", "is_broken"), [(7, False), (137, True), (133, True)])
def test_what_ends_during_its_freeze_has_its_own_exit_code_but_for_a_signal_which_may_be_criu(
    engine: Engine, runtime: DockerRuntime, tmp_path: Path, code: int, *, is_broken: bool
) -> None:
    engine.code = code
    runtime.start(order(tmp_path))
    with pytest.raises(FreezeFailed) as failure:
        runtime.freeze(NAME, images(tmp_path))
    assert failure.value.is_broken is is_broken
    (ended,) = wait_for("the end", runtime.ended, seconds=30)
    assert (ended.code, bool(ended.lost)) == ((-9, True) if is_broken else (7, False))


def test_an_engine_that_goes_in_the_middle_of_a_thaw_says_nothing_of_what_was_frozen(
    engine: Engine, runtime: DockerRuntime, tmp_path: Path
) -> None:
    engine.thaw_failure = requests.ConnectionError("gone")
    with pytest.raises(StartFailed, match=r"docker cannot take 1\.1 now: gone"):
        runtime.thaw(order(tmp_path), images(tmp_path))
    assert engine.removed == [NUMBER]


def test_an_engine_that_will_not_let_it_go_on_does(engine: Engine, runtime: DockerRuntime, tmp_path: Path) -> None:
    engine.thaw_failure = StartFailed("the engine has not let it go on within 3 s")
    with pytest.raises(ThawFailed, match=r"docker cannot let 1\.1 go on here: the engine has not let it go on"):
        runtime.thaw(order(tmp_path), images(tmp_path))
    assert engine.removed == [NUMBER]

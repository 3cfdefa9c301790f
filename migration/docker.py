"""Docker's containers: started, frozen and thawed by its engine, each on this node's own.

Facts that shape this module: the engine restores only what lies in the new container's own folder, so a freeze moves its
images out of there and a thaw puts them there; what a container wrote to its root is in no checkpoint, so its root is
read-only; and the engine outlives us, so what an earlier caller of the same owner has left is ended first.
"""

import contextlib
import os
import secrets
import shutil
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from queue import SimpleQueue
from signal import SIGKILL
from threading import Thread
from typing import BinaryIO, TypeVar

from docker.errors import APIError

from idleq.migration import criu
from idleq.migration.cgroups import GroupFreezer, end_all_in, freezer_of, parent_here
from idleq.migration.confinement import Confinement, confine
from idleq.migration.dockerengine import CHECKPOINT, DockerEngine, EngineError, is_away, size_of, words_of
from idleq.migration.errors import FreezeFailed, ImageMissing, StartFailed, ThawFailed
from idleq.migration.ownnames import own_name
from idleq.migration.ports import ContainerName, Ended, FrozenState, Order
from idleq.processes import caught_signals, is_gone, keeper

T = TypeVar("T")

KILLED_FROM, SIGNALS = 128, 64
"""The engine tells a signal as 128 and its number, like shells."""

KILLED_AROUND = "docker's shim of it was killed, or it was killed from outside"


UNKNOWN = 255
"""What an engine that comes back says of a container that has ended without it, however that was."""

ENDED_UNSEEN = "docker's engine was away when it ended, and does not know how"

AGAIN_SECONDS = 0.5
"""An engine that is away is asked again after this."""

MOST_REFUSALS = 120
"""An engine that is there and so often will not say how a container ended never will."""


IMAGE = "idleq-image"
"""Beside criu's images: the number of the image that they are of."""


@dataclass(slots=True)
class _Running:
    """A container of ours; *follower* writes down what it prints, and then tells its end.

    Its *freezer* may have been left shut by a freeze that was broken off.
    """

    order: Order
    number: str
    follower: Thread
    is_freezing: bool = False
    freezer: GroupFreezer | None = None
    is_killed: bool = False
    lost: str = ""
    ran_out: bool = False


@dataclass(slots=True)
class DockerRuntime:
    """The containers of this process on the node's docker; *owner* is the same for one that takes its place after a crash."""

    owner: str
    connect: Callable[[], DockerEngine] = DockerEngine
    cgroup_parent: str = field(default_factory=parent_here)
    _keeper: str = field(default_factory=keeper)
    _mine: str = field(default_factory=lambda: secrets.token_hex(8))
    _running: dict[ContainerName, _Running] = field(default_factory=dict)
    _ends: "SimpleQueue[tuple[_Running, int]]" = field(default_factory=SimpleQueue)

    def __post_init__(self) -> None:
        with self._engine() as engine:
            for number in engine.of_owner(self.owner):
                engine.remove(number)
            _end_abandoned(engine)

    def start(self, order: Order) -> None:
        """See Runtime."""
        with self._engine() as engine:
            _end_abandoned(engine)
            number = engine.create(own_name(), self._confined(order))
            try:
                self._follow(order, number, lambda: engine.start(number))
            except EngineError as error:
                _discard(engine, number)
                raise StartFailed(f"docker cannot start {order.name} now: {words_of(error)}") from error
            except BaseException:
                _discard(engine, number)
                raise

    def signal(self, name: ContainerName, number: int) -> None:
        """See Runtime."""
        if running := self._running.get(name):
            with self._engine() as engine:
                engine.kill(running.number, number)

    def hears(self, name: ContainerName, number: int) -> bool:
        """See Runtime."""
        running = self._running.get(name)
        if running is None:
            return False
        with self._engine() as engine:
            first = engine.first_of(running.number)
        return bool(caught_signals(first) >> (number - 1) & 1)

    def kill(self, names: Collection[ContainerName]) -> None:
        """See Runtime; when its first process dies, the kernel ends all others in the container."""
        for name in names:
            if running := self._running.get(name):
                running.is_killed = True
                try:
                    self.signal(name, SIGKILL)
                except (StartFailed, *EngineError):
                    end_all_in(running.number)

    def ended(self) -> list[Ended]:
        """See Runtime; what has ended is removed from the engine."""
        told: list[Ended] = []
        for running in list(self._running.values()):  # a freeze in another thread takes its own out
            if running.freezer and not running.is_freezing:
                running.freezer.open()
        for running, code in _all_of(self._ends):
            if self._running.get(running.order.name) is not running:
                continue  # it was frozen, or goes on after a freeze that failed
            if running.is_freezing:
                self._ends.put((running, code))
            else:
                own = -SIGKILL if running.lost else code
                told.append(Ended(running.order.name, own, running.lost, ran_out=running.ran_out))
                self._forget(running)
        return told

    def over(self, limits: Mapping[ContainerName, int]) -> dict[ContainerName, int]:  # noqa: ARG002 - the engine holds them
        """See Meter: the kernel ends a container that would use more than its order says."""
        return {}

    def freeze(self, name: ContainerName, into: Path) -> FrozenState:
        """See Freezer; its processes stand still for no longer than the engine takes to answer."""
        running = self._running.get(name)
        if running is None:
            raise FreezeFailed(f"{name} does not run here")
        running.is_freezing = True
        if running.freezer:
            running.freezer.open()  # a freeze before this one has failed
        try:
            with self._engine() as engine:
                image, began = engine.image_of(running.number), time.monotonic()
                images = self._checkpointed(engine, running)
                stopped_ms = round((time.monotonic() - began) * 1000)
                self._moved(engine, running, images, into, image)
                self._forget(running)
        finally:
            running.is_freezing = False
        return FrozenState(bytes=size_of(into), stopped_ms=stopped_ms)

    def thaw(self, order: Order, images: Path) -> None:
        """See Freezer."""
        with self._engine() as engine:
            _end_abandoned(engine)
            number = engine.create(own_name(), self._confined(order))
            try:
                _see_image(engine, number, order, images)
                shutil.copytree(images, engine.checkpoints(number) / CHECKPOINT, copy_function=_link_or_copy)
                self._follow(order, number, lambda: _go_on(engine, number, order))
            except (*EngineError, OSError) as error:
                _discard(engine, number)
                raise StartFailed(f"docker cannot take {order.name} now: {words_of(error)}") from error
            except BaseException:
                _discard(engine, number)
                raise

    def close(self) -> None:
        """End everything that was started here."""
        running = list(self._running.values())
        try:
            with self._engine() as engine:
                for one in running:
                    engine.remove(one.number)
                    one.follower.join()
        except (StartFailed, *EngineError):
            for one in running:
                end_all_in(one.number)
        self._running.clear()

    def _checkpointed(self, engine: DockerEngine, running: _Running) -> Path:
        """Return where the engine has put what the container held."""
        freezer = freezer_of(engine.first_of(running.number))  # afterwards the engine may not be there to say
        try:
            return engine.checkpoint(running.number)
        except EngineError as error:
            running.freezer = freezer
            why = f"docker cannot freeze {running.order.name}: {words_of(error)}"
            if _has_ended_itself(engine, running):
                raise FreezeFailed(f"{running.order.name} ended before it could be frozen") from error
            if not engine.first_of(running.number):
                running.lost = f"{why}; and it does not go on"
            if running.lost:
                raise FreezeFailed(running.lost, is_broken=True) from error
            raise FreezeFailed(why, may_pass=criu.may_pass(why)) from error

    def _moved(self, engine: DockerEngine, running: _Running, images: Path, into: Path, image: str) -> None:
        """Take *images* out of the engine's folder, with the number of their *image*; where that fails, the container goes on from them."""
        try:
            (into / IMAGE).write_text(image, encoding="utf-8")
            shutil.copytree(images, into, copy_function=_link_or_copy, dirs_exist_ok=True)
        except OSError as error:
            message = f"what {running.order.name} held cannot be put into {into}: {error.strerror or error}"
            try:
                self._follow(running.order, running.number, lambda: engine.start_from(running.number))
            except (*EngineError, StartFailed) as problem:
                running.lost = f"{message}; and it does not go on: {words_of(problem)}"
                raise FreezeFailed(running.lost, is_broken=True) from error
            raise FreezeFailed(message) from error

    def _follow(self, order: Order, number: str, go: Callable[[], None]) -> None:
        """Let the container *go*, once somebody listens to what it prints."""
        with contextlib.ExitStack() as opened:
            stdout, stderr = (opened.enter_context(_appended(path)) for path in (order.stdout, order.stderr))
            engine = opened.enter_context(self._engine())
            output = opened.enter_context(engine.attached(number))
            code_of = opened.enter_context(engine.awaited(number))
            go()
            rest = opened.pop_all()

        def follow() -> None:
            seen: int | None = None
            with (
                rest,
                contextlib.suppress(*EngineError, OSError, ValueError, LookupError),
            ):  # an answer may be broken off
                for out, err in output:
                    stdout.write(out or b"")
                    stderr.write(err or b"")
                seen = code_of()
            self._ends.put((running, self._end_of(running, seen)))

        running = _Running(order, number, Thread(target=follow, name=f"follow-{order.name}", daemon=True))
        self._running[order.name] = running
        running.follower.start()

    def _end_of(self, running: _Running, seen: int | None) -> int:
        """Return how it has ended, and note whether that was not its own end; an engine that is away is waited for.

        *seen* is the exit code that the engine has told as it ended, None if the engine went away before.
        """
        refusals = 0
        while True:
            try:
                with self._engine() as asked:
                    code = _code(asked.wait(running.number) if seen is None else seen)
                    running.ran_out = asked.has_run_out_of_memory(running.number)
                    # The kernel spares a container's first process every SIGKILL from within.
                    if code == -SIGKILL and not running.is_killed and not running.ran_out:
                        running.lost = running.lost or KILLED_AROUND
            except (StartFailed, *EngineError) as error:
                refusals += isinstance(error, APIError)
                if refusals > MOST_REFUSALS:
                    running.lost = running.lost or f"docker does not say how it ended: {words_of(error)}"
                    return -SIGKILL
                time.sleep(AGAIN_SECONDS)
            else:
                if seen is None and code == UNKNOWN:
                    running.lost = running.lost or ENDED_UNSEEN
                return code

    def _forget(self, running: _Running) -> None:
        del self._running[running.order.name]
        running.follower.join()
        with contextlib.suppress(StartFailed, *EngineError), self._engine() as engine:
            engine.remove(running.number)  # otherwise its next runtime does

    def _confined(self, order: Order) -> Confinement:
        user = f"{os.getuid()}:{os.getgid()}"
        return confine(
            order, whose=self._mine, owner=self.owner, keeper=self._keeper, user=user, cgroup_parent=self.cgroup_parent
        )

    @contextlib.contextmanager
    def _engine(self) -> Iterator[DockerEngine]:
        engine = self.connect()
        try:
            yield engine
        finally:
            engine.close()


def _has_ended_itself(engine: DockerEngine, running: _Running) -> bool:
    """Whether a freeze that failed came too late; the engine leaves no images to tell that by, but what criu ends a signal has ended."""
    if engine.first_of(running.number):
        return False
    is_signalled = _code(engine.wait(running.number)) < 0
    return not is_signalled or running.is_killed or engine.has_run_out_of_memory(running.number)


def _go_on(engine: DockerEngine, number: str, order: Order) -> None:
    """Let what lies in the container's folder go on; raise ThawFailed if that is what is wrong."""
    try:
        engine.start_from(number)
    except (*EngineError, StartFailed) as error:
        if is_away(error):
            raise
        raise ThawFailed(f"docker cannot let {order.name} go on here: {words_of(error)}") from error


def _see_image(engine: DockerEngine, number: str, order: Order, images: Path) -> None:
    """Raise ImageMissing if what was frozen into *images* was another image's than the container *number* of *order* is."""
    path = images / IMAGE
    had = path.read_text(encoding="utf-8") if path.exists() else ""
    if missing := ImageMissing.unlike(order.image, had, engine.image_of(number)):
        raise missing


def _end_abandoned(engine: DockerEngine) -> None:
    """End and remove what agents have left that were killed: it is no child of theirs, and nothing else may ever end it.

    Of what goes on the next segment may be about to start here.
    """
    for number, whose in engine.kept().items():
        if is_gone(whose):
            with contextlib.suppress(*EngineError):  # one that it cannot remove stays
                engine.remove(number)


def _discard(engine: DockerEngine, number: str) -> None:
    """Leave nothing of a container that did not go on; where the engine is gone, its next runtime forgets it."""
    with contextlib.suppress(*EngineError):
        engine.remove(number)


def _all_of(queue: "SimpleQueue[T]") -> list[T]:
    return [queue.get() for _ in range(queue.qsize())]


def _code(said: int) -> int:
    """Return an exit code as `Ended` has it."""
    is_signal = KILLED_FROM < said <= KILLED_FROM + SIGNALS
    return KILLED_FROM - said if is_signal else said


@contextlib.contextmanager
def _appended(path: Path) -> Iterator[BinaryIO]:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise StartFailed(f"cannot write {path}: {error.strerror}") from error
    with os.fdopen(descriptor, "ab", buffering=0) as file:
        yield file


def _link_or_copy(source: str, target: str) -> str:
    """On one file system a second name is enough: nobody writes to a checkpoint's files."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
    return target

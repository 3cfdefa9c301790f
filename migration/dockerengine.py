"""Docker's engine, as far as guests need it; the verbs for checkpoints are asked through the same client, which has none of its own."""

import contextlib
import os
import re
import secrets
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import docker
import requests
from docker.errors import APIError, DockerException, ImageNotFound, NotFound

from idleq.migration import criu
from idleq.migration.cgroups import end_all_in
from idleq.migration.confinement import KEEPER_LABEL, MARK_LABEL, OWNER_LABEL, Confinement, docker_request
from idleq.migration.descent import owners
from idleq.migration.errors import ImageMissing, ProgramMissing, StartFailed
from idleq.migration.ownnames import is_own
from idleq.migration.patience import FREEZE_SECONDS, START_SECONDS, THAW_SECONDS, thaw_seconds
from idleq.processes import read_argv, read_processes, read_program

CHECKPOINT = "idleq"
SHIM = "containerd-shim-runc-v2"
"""The engine's program that is the parent of a container, and of what starts or thaws it."""

NOT_FOUND, NOT_EXECUTABLE = 127, 126
"""What shells answer for a program that is missing, or is there and cannot be run."""

KILLED = 128 + signal.SIGKILL
"""The exit code of what SIGKILL has ended."""

GONE = 404
NOT_RUNNING = 409

Output = Iterator[tuple[bytes | None, bytes | None]]
"""Pieces of standard output, or else of standard error."""

_CRIU_LOG = re.compile(r"(?:log file:|path=)\s*(/\S+\.log)")

EngineError = (DockerException, requests.RequestException)
"""Whatever the client raises where the engine will not, or is not there."""


class DockerEngine:
    """One connection to the engine; each thread has its own. A thaw of nothing may take *least_thaw_seconds*."""

    def __init__(self, address: str | None = None, *, least_thaw_seconds: float = THAW_SECONDS) -> None:
        self._least_thaw_seconds = least_thaw_seconds
        try:
            self._api: Any = docker.APIClient(address, version="auto", timeout=round(START_SECONDS))
        except EngineError as error:
            raise StartFailed(f"docker's engine does not answer: {error}") from error

    def close(self) -> None:
        """Let the connection go."""
        self._api.close()

    def version(self) -> str:
        """Return the engine's version."""
        return str(self._api.version()["Version"])

    def create(self, name: str, container: Confinement) -> str:
        """Make *container*, and return the engine's number for it.

        Raises:
            ImageMissing, StartFailed: nothing was made.
        """
        try:
            return str(self._api.create_container_from_config(docker_request(container), name)["Id"])
        except ImageNotFound as error:
            raise ImageMissing.of(container.image) from error
        except EngineError as error:
            raise StartFailed(f"docker cannot make a container of {container.image!r}: {words_of(error)}") from error

    def start(self, number: str) -> None:
        """Start what was made.

        Raises:
            ProgramMissing, StartFailed: it does not run.
        """
        try:
            self._api.start(number)
        except EngineError as error:
            raise _refusal(words_of(error)) from error

    @contextlib.contextmanager
    def attached(self, number: str) -> Iterator[Output]:
        """Give what the container prints from now on, to its end."""
        output = self._api.attach(number, stream=True, demux=True)
        try:
            yield output
        finally:
            output._response.close()  # noqa: SLF001 - its own close leaves the socket open

    @contextlib.contextmanager
    def awaited(self, number: str) -> Iterator[Callable[[], int]]:
        """Give what returns the exit code of the container that is about to begin, once nothing of it lives.

        That is asked now: an engine that goes away meanwhile breaks its answer off, however soon it is back, and that raises.
        """
        url = f"{self._api.base_url}/v{self._api.api_version}/containers/{number}/wait"
        answer = self._api.post(url, params={"condition": "next-exit"}, timeout=None, stream=True)
        try:
            answer.raise_for_status()
            yield lambda: int(answer.json()["StatusCode"])
        finally:
            answer.close()

    def wait(self, number: str) -> int:
        """Return the exit code of a container once nothing of it lives; one that somebody has removed was killed."""
        try:
            return int(self._api.wait(number)["StatusCode"])
        except NotFound:
            return KILLED

    def kill(self, number: str, signal: int) -> None:
        """Send *signal* to the first process; one that has ended takes none."""
        try:
            self._api.kill(number, signal)
        except APIError as error:
            if error.status_code not in {GONE, NOT_RUNNING}:
                raise

    def remove(self, number: str) -> None:
        """End the container if it runs, and forget it; nothing lives any more that was in it."""
        try:
            self._api.remove_container(number, force=True, v=True)
        except APIError as error:
            if error.status_code not in {GONE, NOT_RUNNING}:  # being removed already
                raise
        finally:
            end_all_in(number)

    def first_of(self, number: str) -> int:
        """Return the number, on this node, of the container's first process; 0 if it does not run."""
        return int(self._api.inspect_container(number)["State"]["Pid"])

    def image_of(self, number: str) -> str:
        """Return the number of the image that the container is of, the digest of what that is made of."""
        return str(self._api.inspect_container(number)["Image"])

    def has_run_out_of_memory(self, number: str) -> bool:
        """Whether the kernel has ended it, or something in it, at its memory's limit; of one that was removed nobody says so."""
        try:
            return bool(self._api.inspect_container(number)["State"]["OOMKilled"])
        except NotFound:
            return False

    def of_owner(self, owner: str) -> list[str]:
        """Return the numbers of all containers of *owner*, also of those that have ended."""
        found = self._api.containers(all=True, quiet=True, filters={"label": [f"{OWNER_LABEL}={owner}", MARK_LABEL]})
        return [str(one["Id"]) for one in found]

    def kept(self) -> dict[str, str]:
        """Return the numbers of idleq's containers, whosever they are and whether they run or not, and the keeper of each."""
        found = self._api.containers(all=True, filters={"label": [KEEPER_LABEL]})
        made_here = [one for one in found if any(is_own(name.lstrip("/")) for name in one["Names"] or ())]
        return {str(one["Id"]): str(one["Labels"][KEEPER_LABEL]) for one in made_here}

    def checkpoint(self, number: str) -> Path:
        """Freeze the container, and return the folder with what it held; it does not run any more then.

        Raises:
            DockerException, RequestException: the engine would not.
        """
        self._ask("post", f"/containers/{number}/checkpoints", {"CheckpointID": CHECKPOINT, "Exit": True})
        return self.checkpoints(number) / CHECKPOINT

    def start_from(self, number: str) -> None:
        """Let the container go on from the checkpoint that lies in its folder; the engine needs it no more then.

        Raises:
            DockerException, RequestException, StartFailed: it does not.
        """
        images = self.checkpoints(number) / CHECKPOINT
        seconds = thaw_seconds(size_of(images), self._least_thaw_seconds)
        # Content that the engine remembers from a freeze it refuses: here is something that it has never seen.
        (images / "thaw").write_text(secrets.token_hex(16), encoding="ascii")
        try:
            self._ask("post", f"/containers/{number}/start?checkpoint={CHECKPOINT}", None, seconds)
        except requests.Timeout as error:
            _end_all_of(number)  # until then the engine would not even remove it
            raise StartFailed(f"the engine has not let it go on within {seconds:.0f} s") from error
        shutil.rmtree(images, ignore_errors=True)

    def checkpoints(self, number: str) -> Path:
        """Return the folder of the container's checkpoints: the engine takes them from nowhere else (moby#37344)."""
        return Path(self._api.info()["DockerRootDir"]) / "containers" / number / "checkpoints"

    def _ask(self, verb: str, path: str, body: dict[str, Any] | None, seconds: float = FREEZE_SECONDS) -> None:
        url = f"{self._api.base_url}/v{self._api.api_version}{path}"
        answer = self._api.request(verb, url, json=body, timeout=seconds)
        try:
            answer.raise_for_status()
        except requests.HTTPError as error:
            raise APIError(str(error), response=answer, explanation=answer.text.strip()) from error


def size_of(folder: Path) -> int:
    """Return the bytes of all files below *folder*."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _end_all_of(number: str) -> None:
    """End the container's shim with all that descends from it."""
    processes = read_processes()
    shims = {pid: number for pid in processes if read_program(pid) == SHIM and number in read_argv(pid)}
    for pid in owners(processes, shims):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)


def _refusal(words: str) -> StartFailed:
    """Return what it means that a container did not start: the runtime's words are all there is."""
    if "executable file not found" in words or "no such file or directory" in words:
        return ProgramMissing(f"there is no such program in the image: {words}", NOT_FOUND)
    if "permission denied" in words or "exec format error" in words or "is a directory" in words:
        return ProgramMissing(f"it cannot be run in the image: {words}", NOT_EXECUTABLE)
    return StartFailed(f"docker cannot start it now: {words}")


def is_away(error: BaseException) -> bool:
    """Whether it says only that the engine is not there."""
    return isinstance(error, requests.ConnectionError)


def words_of(error: BaseException) -> str:
    """Return what the engine says was wrong, in criu's own words where its log is there to be read."""
    said = str(getattr(error, "explanation", None) or error)
    found = _CRIU_LOG.search(said)
    if found is None:
        return said
    try:
        log = Path(found[1]).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return said
    return f"criu: {criu.reason(log, said)}"

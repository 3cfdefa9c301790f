"""What is said to podman, and what it says: pure functions."""

import csv
import io
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from idleq.migration import criu
from idleq.migration.confinement import (
    KEEPER_LABEL,
    MOST_PROCESSES,
    OWNER_LABEL,
    TEMPORARY,
    TEMPORARY_OPTIONS,
    Confinement,
)
from idleq.migration.ownnames import is_own
from idleq.migration.ports import Mount

EXPORT = "container.tar"
"""All of a frozen container, in the folder of what a freeze has left."""

CONFIG, SPEC, LOG = "config.dump", "spec.dump", "ctr.log"
"""Members of an export: what podman itself knows of the container, what its runtime was told, and what the container has printed."""


NO_SUCH_IMAGE = 1
"""How `has_image_argv` ends where there is none of that name."""

LONGEST_LINE = 60_000
"""Podman reads no longer ones in a file of variables (64 KiB, with the name)."""

_RAN = re.compile(r"\b(?P<verb>checkpoint|restore) --image-path \S+ --work-path (?P<folder>/\S+)")
_NO_FOLDER = re.compile(r"workdir \".*\" does not exist on container")
_NOT_EXECUTABLE = ("permission denied", "exec format error", "is a directory")
_HEEDED = re.compile(
    r"PATH|HOME|USER|LOGNAME|SHELL|TERM|TMPDIR|TZ|TZDIR|LANG|LANGUAGE|LOCPATH|NLSPATH|HOSTALIASES|LOCALDOMAIN|CONTAINER|GO[A-Z]+|ENV"
    r"|_*(BASH|LD|LC|GLIBC|GCONV|MALLOC|RES|XDG|DBUS|NOTIFY|LISTEN|SYSTEMD|SSL|SSH|CONTAINERS?|STORAGE|REGISTRY|DOCKER|PODMAN|LIBPOD|BUILDAH"
    r"|CONMON|OCI|RUNC|CRUN|CRIU)_\w*|\w+_PROXY",
    re.IGNORECASE,
)
"""What podman, its libraries or what it runs may go by: no variable of a job is podman's own by such a name."""

_LOGS = {"checkpoint": criu.DUMP_LOG, "restore": criu.RESTORE_LOG}


@dataclass(frozen=True, slots=True)
class State:
    """A container as podman sees it: whether it runs, whether it stands still for good, and its exit code once it has ended.

    Of one that stands still podman says that it has ended with 0. Something in one that *ran_out* of memory was ended for that.
    """

    is_running: bool
    code: int
    is_frozen: bool = False
    ran_out: bool = False

    @property
    def has_ended(self) -> bool:
        """Whether it is over, and nobody has frozen it as far as podman knows."""
        return not self.is_running and not self.is_frozen


@dataclass(frozen=True, slots=True)
class Files:
    """What podman keeps of one container in a folder of ours; *stem* is theirs alone."""

    stem: Path

    @property
    def variables(self) -> Path:
        """Its environment, while it is being started."""
        return self.stem.with_suffix(".env")

    @property
    def pid(self) -> Path:
        """The number of its first process."""
        return self.stem.with_suffix(".pid")

    @property
    def monitor(self) -> Path:
        """The number of its monitor."""
        return self.stem.with_suffix(".monitor")

    def remove(self) -> None:
        """Remove them."""
        for path in (self.variables, self.pid, self.monitor):
            path.unlink(missing_ok=True)


CORES_AND_TIME = ("cpus", "quota", "period")

PERIOD_MICROSECONDS = 100_000
"""In each of these a container may use its share of time, as podman has it."""


def user_in(user: int, group: int) -> str:
    """Return as whom a container of ours runs so that our folders are its own: an ordinary user's podman shows its caller as root in there."""
    return "0:0" if user else f"{user}:{group}"


def run_argv(name: str, container: Confinement, files: Files) -> list[str]:
    """Return what starts *container*."""
    limits = [] if container.memory is None else [f"--memory={container.memory}b", f"--memory-swap={container.memory}b"]
    cores = [f"--cpuset-cpus={','.join(map(str, sorted(container.cores)))}"] if container.cores else []
    time = [f"--cpus={container.core_time}"] if container.core_time else []
    parent = [f"--cgroup-parent={container.cgroup_parent}"] if container.cgroup_parent else []
    return [
        *("podman", "run", "--detach", f"--name={name}", "--pull=never", "--network=none"),
        *("--cap-drop=all", "--security-opt=no-new-privileges", "--read-only", "--read-only-tmpfs=false"),
        *("--image-volume=ignore", "--no-healthcheck"),  # what an image asks to have beside itself no snapshot holds
        "--passwd=false",  # users that podman adds to the image's are not there where it goes on, and then it does not
        *(f"--tmpfs={TEMPORARY}:{TEMPORARY_OPTIONS}", f"--pids-limit={MOST_PROCESSES}"),
        *(f"--user={container.user}", f"--workdir={container.folder}"),
        *(f"--label={key}={value}" for key, value in sorted(container.labels.items())),
        *(*limits, *cores, *time, *parent),
        *(f"--env-file={files.variables}", *_beside_file(container.environment)),
        *(f"--mount={mount_option(mount)}" for mount in container.mounts),
        *("--log-driver=k8s-file", f"--pidfile={files.pid}"),
        f"--conmon-pidfile={files.monitor}",
        *(f"--entrypoint={json.dumps([container.argv[0]])}", "--", container.image, *container.argv[1:]),
    ]


def variables_text(environment: Mapping[str, str]) -> str:
    """Return the file of those variables that are a line each, so that nobody else on the node reads them in an argv."""
    return "".join(f"{name}={value}\n" for name, value in sorted(environment.items()) if _is_line(value))


def carried(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that podman is given as its own, to take them from there by their names."""
    return {name: value for name, value in environment.items() if not _is_line(value) and not _is_heeded(name)}


def _beside_file(environment: Mapping[str, str]) -> list[str]:
    told = carried(environment)
    others = ((name, value) for name, value in sorted(environment.items()) if not _is_line(value))
    return [f"--env={name}" if name in told else f"--env={name}={value}" for name, value in others]


def _is_line(value: str) -> bool:
    return "\n" not in value and not value.endswith("\r") and len(value.encode()) < LONGEST_LINE


def _is_heeded(name: str) -> bool:
    return _HEEDED.fullmatch(name) is not None


def mount_option(mount: Mount) -> str:
    """Return the value of --mount, which is a line of comma-separated values."""
    line = io.StringIO()
    access = "false" if mount.is_writable else "true"
    values = ("type=bind", f"src={mount.source}", f"dst={mount.target}", f"ro={access}", "bind-propagation=rprivate")
    csv.writer(line, lineterminator="").writerow(values)
    return line.getvalue()


def checkpoint_argv(name: str, into: Path) -> list[str]:
    """Return what freezes the container into *into*: not compressed, as whoever keeps it does that."""
    return [
        *("podman", "container", "checkpoint", f"--export={into / EXPORT}", "--compress=none"),
        *("--print-stats", "--file-locks", name),
    ]


def restore_argv(name: str, images: Path) -> list[str]:
    """Return what lets it go on under another name."""
    return ["podman", "container", "restore", f"--import={images / EXPORT}", f"--name={name}", "--file-locks"]


def resume_argv(name: str) -> list[str]:
    """Return what lets a container go on that was frozen here, and whose export failed."""
    return ["podman", "container", "restore", "--file-locks", name]


def inspect_argv(name: str) -> list[str]:
    """Return what asks for its `State`."""
    return ["podman", "container", "inspect", "--format={{json .State}}", name]


def log_argv(name: str) -> list[str]:
    """Return what asks where its monitor writes down what it prints."""
    return ["podman", "container", "inspect", "--format={{.HostConfig.LogConfig.Path}}", name]


def number_argv(name: str) -> list[str]:
    """Return what asks for podman's own number of it, which its control group is called by."""
    return ["podman", "container", "inspect", "--format={{.Id}}", name]


def has_image_argv(image: str) -> list[str]:
    """Return what asks whether *image* is on this node."""
    return ["podman", "image", "exists", "--", image]


def image_number_argv(image: str) -> list[str]:
    """Return what asks for the number of *image*, the digest of what it is made of."""
    return ["podman", "image", "inspect", "--format={{.Id}}", "--", image]


def remove_argv(*names: str) -> list[str]:
    """Return what ends them and forgets them."""
    return ["podman", "rm", "--force", "--volumes", "--time=0", "--ignore", *names]


def remove_all_argv(owner: str) -> list[str]:
    """Return what ends everything of *owner*."""
    return ["podman", "rm", "--force", "--volumes", "--time=0", f"--filter=label={OWNER_LABEL}={owner}"]


def kept_argv() -> list[str]:
    """Return what asks for all containers of idleq, whosever they are: see `kept_in`."""
    return [
        *("podman", "ps", "--all", "--no-trunc", f"--filter=label={KEEPER_LABEL}", "--format=json"),
    ]


def kept_in(said: str) -> list[tuple[str, str]]:
    """Return of each container that `kept_argv` printed its own name and its keeper."""
    try:
        found = [(str(one["Names"][0]), str(one["Labels"][KEEPER_LABEL])) for one in json.loads(said)]
    except (ValueError, KeyError, TypeError, IndexError):
        return []
    return [one for one in found if is_own(one[0])]


def says_no_such_image(code: int, errors: str) -> bool:
    """Whether that is the answer to `has_image_argv`: a podman that does not work ends with the same code, and says why."""
    return code == NO_SUCH_IMAGE and "Error: " not in errors


def says_no_such_folder(said: str) -> bool:
    """Whether it did not start as the folder to start in is not there."""
    return _NO_FOLDER.search(said) is not None


def says_not_executable(said: str) -> bool:
    """Whether it is the program that cannot be run: podman has the same exit code for a runtime that was killed."""
    return any(words in said for words in _NOT_EXECUTABLE)


def criu_log_of(said: str) -> Path | None:
    """Return where criu wrote down why it failed, by the command of the runtime that podman says has failed; None if it names none."""
    ran = _RAN.search(said)
    return None if ran is None else Path(ran["folder"]) / _LOGS[ran["verb"]]


def state_of(said: str) -> State | None:
    """Return the state that `inspect_argv` printed, None if that is none."""
    try:
        body = json.loads(said)
        return State(
            bool(body["Running"]),
            int(body["ExitCode"]),
            bool(body.get("Checkpointed")),
            ran_out=bool(body.get("OOMKilled")),
        )
    except (ValueError, KeyError, TypeError):
        return None


def stopped_ms(said: str) -> int:
    """Return for how long its processes stood still, by what a checkpoint printed; 0 if it did not say."""
    try:
        return int(json.loads(said)["container_statistics"][0]["criu_statistics"]["frozen_time"]) // 1000
    except (ValueError, KeyError, TypeError, IndexError):
        return 0


def moved_config(config: Mapping[str, Any], container: Confinement, files: Files) -> dict[str, Any]:
    """Return what podman knew of a container (`CONFIG`), as it shall be for *container*: the labels, places, cores and memory of here."""
    spec = config["spec"]
    resources = {**spec["linux"].get("resources", {})}
    cpu = {name: value for name, value in resources.get("cpu", {}).items() if name not in CORES_AND_TIME}
    if container.cores:
        cpu["cpus"] = ",".join(map(str, sorted(container.cores)))
    if container.core_time:
        cpu |= {"quota": container.core_time * PERIOD_MICROSECONDS, "period": PERIOD_MICROSECONDS}
    resources["cpu"] = cpu
    if container.memory is not None:
        limit = {"limit": container.memory, "swap": container.memory}
        resources["memory"] = {**resources.get("memory", {}), **limit}
    moved = {**spec, "mounts": _moved_mounts(spec["mounts"], container.mounts)}
    moved["linux"] = {**spec["linux"], "resources": resources}
    return {
        **config,
        "spec": moved,
        "labels": dict(container.labels),
        "cgroupParent": container.cgroup_parent or config.get("cgroupParent", ""),
        "pid_file": str(files.pid),
        "conmonPidFile": str(files.monitor),
    }


def moved_spec(spec: Mapping[str, Any], container: Confinement) -> dict[str, Any]:
    """Return what the runtime was told (`SPEC`), with the folders and cores of here."""
    return dict(moved_config({"spec": spec}, container, Files(Path("/unused")))["spec"])


def _moved_mounts(mounts: list[dict[str, Any]], wanted: tuple[Mount, ...]) -> list[dict[str, Any]]:
    sources = {str(mount.target): str(mount.source) for mount in wanted}
    return [{**mount, "source": sources.get(mount["destination"], mount["source"])} for mount in mounts]


@dataclass(slots=True)
class LogLines:
    """What podman's monitor wrote of a container's output ("TIME STREAM F|P TEXT", P for lines that go on), taken apart again."""

    _rest: bytes = b""

    def feed(self, content: bytes) -> tuple[bytes, bytes]:
        """Return what was printed to stdout and to stderr by *content*, which goes on where the last has stopped."""
        *lines, self._rest = (self._rest + content).split(b"\n")
        printed = {b"stdout": bytearray(), b"stderr": bytearray()}
        for line in lines:
            _, stream, tag, text = (*line.split(b" ", 3), b"", b"", b"", b"")[:4]
            if stream in printed:
                printed[stream] += text if tag == b"P" else text + b"\n"
        return bytes(printed[b"stdout"]), bytes(printed[b"stderr"])

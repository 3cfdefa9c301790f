"""The keys of a job description: what each may hold, and how it goes into a JobSpec."""

import re
import signal
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from msgspec import structs

from idleq.scheduler.core.resources import Resources
from idleq.scheduler.core.submission import FreezeMethod, Inputs, JobSpec, Mount, RuntimeWish
from idleq.scheduler.errors import BadJobFile
from idleq.scheduler.images import parse_image
from idleq.scheduler.mounts import check_together, parse_mount, parse_path
from idleq.scheduler.nearest import nearest
from idleq.scheduler.ranges import parse_array
from idleq.scheduler.staging import check_patterns, parse_pattern, parse_source
from idleq.scheduler.units import parse_duration, parse_size

DEFAULT_MEMORY = 2**30
"""What a command is given that asks for nothing; a tree that uses more is ended, so it is not stingy."""

RESERVED = frozenset({
    "IDLEQ_JOB_ID", "IDLEQ_ARRAY_INDEX", "IDLEQ_CHECKPOINT_DIR", "IDLEQ_OUTPUT_DIR", "IDLEQ_INPUT_DIR", "IDLEQ_CONTROL",
    "IDLEQ_SERVER_DIR", "IDLEQ_ALLOCATION", "IDLEQ_SCRATCH", "IDLEQ_MARK",
})  # fmt: skip
"""Set by idleq; a job that set them itself would write where it must not, or be taken for another's guest."""

LONGEST = 10 * 365 * 86_400_000
LONGEST_TEXT = 200
LONGEST_ARGUMENT = 100_000
LARGEST_PRIORITY = 1_000_000
LARGEST_COUNT = 1_000_000
LARGEST_MEMORY = 2**50

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

Reader = Callable[[Any], Any]


def _whole(least: int, most: int) -> Reader:
    def read(value: object) -> int:
        if type(value) is not int:  # a TOML boolean is an int to isinstance
            raise ValueError(f"it must be a whole number, not {value!r}")
        if value < least:
            raise ValueError(f"it must be at least {least}, not {value}")
        if value > most:
            raise ValueError(f"it must be at most {most}, not {value}")
        return value

    return read


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(f"it must be a text in quotes, not {value!r}")
    if not value or len(value) > LONGEST_TEXT or not value.isprintable():
        raise ValueError(f"it must be 1 to {LONGEST_TEXT} printable characters, not {value[:LONGEST_TEXT]!r}")
    return value


def _as(parse: Callable[[str], Any]) -> Reader:
    return lambda value: parse(_text(value))


def _some_time(value: object) -> int:
    if type(value) is int:
        raise ValueError(
            f'write it with its unit, like "{value}s" or "{value}m"' if value >= 0 else f"{value} is negative"
        )
    if isinstance(value, str) and value.lstrip().startswith("-"):
        raise ValueError(f"{value!r} is negative; a duration is like 90s, 10m or 1h30m")
    duration = parse_duration(_text(value))
    if not 0 < duration <= LONGEST:
        raise ValueError(f"it must be longer than nothing and at most ten years, not {value}")
    return duration


def _memory(value: object) -> int:
    size = parse_size(_text(value))
    if not 0 < size <= LARGEST_MEMORY:
        raise ValueError(f"it must be more than nothing and at most 1024T, not {value}")
    return size


def _argument(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(f"it must be a list of texts; put {value!r} in quotes")
    if "\0" in value or len(value) > LONGEST_ARGUMENT:
        raise ValueError("no argument may hold a zero byte or be longer than 100,000 characters")
    return value


def _arguments(value: object) -> tuple[str, ...]:
    if not isinstance(value, list | tuple):
        raise ValueError(f'it must be a list of texts, like ["--quick"], not {value!r}')
    return tuple(map(_argument, value))


def _command(value: object) -> tuple[str, ...]:
    command = _arguments(value)
    if not command or not command[0]:
        raise ValueError("it begins with the program to run, and that is missing")
    return command


def _after(value: object) -> tuple[str, ...]:
    if not isinstance(value, list | tuple):
        raise ValueError(f'it must be a list of names or numbers, like ["prepare"] or [17], not {value!r}')
    names = (str(one) if type(one) is int and one >= 0 else _text(one) for one in value)
    return tuple(dict.fromkeys(names))


def _mounts(value: object) -> tuple[Mount, ...]:
    mounts = tuple(parse_mount(one) for one in _arguments(value))
    check_together(mounts)
    return mounts


def _inputs(value: object) -> Inputs | None:
    sources = tuple(parse_source(one) for one in _arguments(value))
    return Inputs(sources=sources) if sources else None


def _patterns(value: object) -> tuple[str, ...]:
    patterns = tuple(parse_pattern(one) for one in _arguments(value))
    check_patterns(patterns)
    return patterns


def _pairs(value: object, check: Callable[[str], None]) -> tuple[tuple[str, str], ...]:
    if not isinstance(value, Mapping):
        raise ValueError(f'it must be a table, like {{ KEY = "value" }}, not {value!r}')
    for key, text in value.items():
        check(key)
        if not isinstance(text, str) or "\0" in text or len(text) > LONGEST_ARGUMENT:
            raise ValueError(f"{key} must be a text in quotes, without zero bytes, not {text!r}")
    return tuple(sorted(value.items()))


def _variable(key: str) -> None:
    if not _VARIABLE.fullmatch(key):
        raise ValueError(f"{key!r} is no name of an environment variable")
    if key in RESERVED:
        raise ValueError(f"{key} is set by idleq itself and cannot be given")


def _label(key: str) -> None:
    if not key.isprintable() or not 0 < len(key) <= LONGEST_TEXT:
        raise ValueError(f"{key[:LONGEST_TEXT]!r} is no name for a label")


def _boolean(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"it must be true or false, not {value!r}")
    return value


def _one_of(names: Iterable[str]) -> Reader:
    known = sorted(names)

    def read(value: object) -> str:
        if value not in known:
            raise ValueError(f"it must be one of {', '.join(known)}, not {value!r}")
        return str(value)

    return read


_RUNTIMES = _one_of(RuntimeWish)


def _runtime(value: object) -> str:
    try:
        return str(_RUNTIMES(value))
    except ValueError as error:
        if not _is_some_time(value):
            raise
        raise ValueError(f"{error}; how long it runs is said by expected") from None


def _is_some_time(value: object) -> bool:
    try:
        _some_time(value)
    except ValueError:
        return False
    return True


SIGNALS = ("SIGHUP", "SIGINT", "SIGQUIT", "SIGTERM", "SIGUSR1", "SIGUSR2", "SIGCONT", "SIGURG", "SIGWINCH")

SPEC_KEYS: dict[str, Reader] = {
    "name": _text,
    "command": _command,
    "cores": _whole(1, LARGEST_COUNT),
    "memory": _memory,
    "gpus": _whole(0, LARGEST_COUNT),
    "environment": lambda value: _pairs(value, _variable),
    "labels": lambda value: _pairs(value, _label),
    "priority": _whole(-LARGEST_PRIORITY, LARGEST_PRIORITY),
    "expected": _some_time,
    "max_run": _some_time,
    "retries": _whole(0, LARGEST_COUNT),
    "freeze": _one_of(FreezeMethod),
    "signal": _one_of(name for name in SIGNALS if name in signal.Signals.__members__),
    "image": _as(parse_image),
    "runtime": _runtime,
    "mounts": _mounts,
    "workdir": _as(parse_path),
    "outputs": _patterns,
    "reproducible": _boolean,
}

JOB_KEYS = SPEC_KEYS | {
    "workload": _text,
    "args": _arguments,
    "inputs": _inputs,
    "after": _after,
    "array": _as(parse_array),
    "hold": _boolean,
}

CATALOG_KEYS = {
    key: reader for key, reader in SPEC_KEYS.items() if key not in {"name", "labels", "priority", "expected"}
} | {
    "description": _text,
    "expected_duration": _some_time,
}

RIGHTS = frozenset({
    "cap_add", "cap-add", "capabilities", "cgroup_parent", "device", "devices", "entrypoint", "host", "ipc", "network", "options", "pid",
    "podman_args", "docker_args", "ports", "privileged", "security_opt", "security-opt", "sysctls", "user", "userns", "volumes_from",
})  # fmt: skip
"""What containers elsewhere can be given, and no guest ever is."""

OTHER_WORDS = {
    "env": "environment", "environ": "environment", "label": "labels", "max-run": "max_run", "mem": "memory", "cpus": "cores",
    "dependencies": "after", "argv": "command", "arguments": "args", "held": "hold", "expected_duration": "expected",
    "time": "max_run", "duration": "expected", "gres": "gpus", "volume": "mounts", "volumes": "mounts", "bind": "mounts",
    "container": "image", "engine": "runtime", "input": "inputs", "output": "outputs", "transfer_input_files": "inputs",
    "transfer_output_files": "outputs",
}  # fmt: skip
"""What people write who know the options of `idleq submit`, or of Slurm."""


def checked(table: object, keys: Mapping[str, Reader], where: str) -> dict[str, Any]:
    """Return the values of *table*, each read by its key's reader.

    Raises:
        BadJobFile: it is no table, has a key that *keys* lacks (the nearest is named), or a value that cannot be.
    """
    if not isinstance(table, Mapping):
        raise BadJobFile(f"{where}: it must be a table of keys and values, not {table!r}")
    values = {}
    for key, value in table.items():
        if key in RIGHTS and key not in keys:
            raise BadJobFile(
                f"{where}: there is no key {key!r}: a guest has no rights on its node and no network, and none can be given"
            )
        if key not in keys:
            raise BadJobFile(f"{where}: {no_such('key', key, keys)}")
        try:
            values[key] = keys[key](value)
        except ValueError as error:
            raise BadJobFile(f"{where}: {key}: {error}") from None
    return values


def no_such(what: str, name: object, known: Iterable[str]) -> str:
    """Say that *name* does not exist, with the nearest that does, or with all that do."""
    names = sorted(known)
    word = OTHER_WORDS.get(str(name))
    near = word if word in names else nearest(name, names)
    if near:
        return f"there is no {what} {str(name)!r}; did you mean {near!r}?"
    return f"there is no {what} {str(name)!r}; " + (
        f"there are: {', '.join(names)}" if names else "there is none at all"
    )


def spec_of(
    values: Mapping[str, Any], name: str, where: str, *, base: JobSpec | None = None, arguments: Sequence[str] = ()
) -> JobSpec:
    """Return *base* (the named job) changed by *values*; without one a command, which must be told if it can be frozen.

    Raises:
        BadJobFile: there is nothing to run.
    """
    if base is None:
        if "command" not in values:
            raise BadJobFile(f"{where}: command is missing")
        base = JobSpec(
            name=name, argv=values["command"], resources=Resources(1, DEFAULT_MEMORY), freeze=FreezeMethod.NONE
        )
    held = base.resources
    runtime = RuntimeWish(values.get("runtime", base.runtime))
    spec = structs.replace(
        base,
        name=values.get("name", name),
        argv=(*base.argv, *arguments),
        resources=Resources(
            values.get("cores", held.cores), values.get("memory", held.memory), values.get("gpus", held.gpus)
        ),
        environment=tuple(sorted((dict(base.environment) | dict(values.get("environment", ()))).items())),
        labels=values.get("labels", base.labels),
        priority=values.get("priority", base.priority),
        expected_ms=values.get("expected", values.get("expected_duration", base.expected_ms)),
        max_run_ms=values.get("max_run", base.max_run_ms),
        retries=values.get("retries", base.retries),
        freeze=FreezeMethod(values.get("freeze", base.freeze)),
        signal=values.get("signal", base.signal),
        image=values.get("image", "" if runtime is RuntimeWish.PROCESS else base.image),
        runtime=runtime,
        mounts=values.get("mounts", base.mounts),
        workdir=values.get("workdir", base.workdir),
        inputs=values.get("inputs", base.inputs),
        outputs=values.get("outputs", base.outputs),
        reproducible=values.get("reproducible", base.reproducible),
    )
    if problem := container_problem(spec):
        raise BadJobFile(f"{where}: {problem}")
    return spec


def container_problem(spec: JobSpec) -> str:
    """Say which of the keys for containers do not go together; empty if they do."""
    if spec.image and spec.runtime is RuntimeWish.PROCESS:
        return 'image: a job with runtime = "process" has none'
    if not spec.image and spec.runtime in {RuntimeWish.PODMAN, RuntimeWish.DOCKER}:
        return f'runtime: "{spec.runtime}" runs images, and this job has none; give image = "NAME"'
    if spec.image and spec.resources.gpus:
        return 'gpus: no container is shown a node\'s GPUs yet; run it without an image (runtime = "process"), or without GPUs'
    if not spec.image and spec.mounts:
        return "mounts: only a job with an image has that; others see the node's own files"
    return ""

"""Lets a node's Python see the shared folder as slow and stale file systems show it; imported by every one there as it starts.

What the process itself changes it sees, as clients of such file systems do; what others change comes late.
"""

import json
import os
import sys
import time
from pathlib import Path

RULE = Path("/etc/lagging.json")
"""On the node: for how many seconds each look takes ("delay"), and a list that was seen is believed ("stale"). Nothing lags without it."""

SLOW = "/shared/home/"

BOTH = {"os.rename", "os.link", "os.symlink"}
ACTS = BOTH | {"open", "os.listdir", "os.mkdir", "os.remove", "os.rmdir"}

_listdir = os.listdir


class Lag:
    """How the shared folder is seen by this process."""

    def __init__(self, delay: float, stale: float) -> None:
        self._delay, self._stale = delay, stale
        self._seen: dict[str, tuple[float, list[str]]] = {}

    def hear(self, event: str, arguments: tuple[object, ...]) -> None:
        """Let an act on the shared folder take its time, and forget lists that the process itself changes."""
        if event not in ACTS:
            return
        paths = [name for name in map(_name, arguments[: 2 if event in BOTH else 1]) if name.startswith(SLOW)]
        if paths:
            time.sleep(self._delay)
        is_look = event == "os.listdir" or (event == "open" and not _creates(arguments))
        for path in () if is_look else paths:
            self._seen.pop(str(Path(path).parent), None)

    def listdir(self, path: "str | int | os.PathLike[str]" = ".") -> list[str]:
        """Return what `os.listdir` does, or what it did a while ago."""
        name = _name(path)
        if not name.startswith(SLOW):
            return _listdir(path)
        known = self._seen.get(name)
        if known is None or known[0] < time.monotonic():
            known = self._seen[name] = (time.monotonic() + self._stale, _listdir(path))
        return list(known[1])


def _name(path: object) -> str:
    return os.fsdecode(path) if isinstance(path, str | bytes | os.PathLike) else ""


def _creates(arguments: tuple[object, ...]) -> bool:
    flags = arguments[2]
    return isinstance(flags, int) and bool(flags & os.O_CREAT)


def install() -> None:
    """Lag as the node's rule says, from now on."""
    rule = json.loads(RULE.read_text(encoding="utf-8"))
    lag = Lag(rule["delay"], rule["stale"])
    os.listdir = lag.listdir  # type: ignore[assignment]  # of all its forms the one that idleq uses
    sys.addaudithook(lag.hear)


if RULE.exists():
    install()

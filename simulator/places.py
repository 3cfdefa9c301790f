"""Where the simulator keeps what a user has: traces, and what can be made again."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """The user's folders, as the XDG base directory specification names them.

    Attributes:
        data: what must not be lost.
        cache: what may be deleted at any time.
    """

    data: Path
    cache: Path

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Places":
        """Return the folders of whoever has *environment*."""
        home = Path(environment.get("HOME") or "~").expanduser()
        data = environment.get("XDG_DATA_HOME") or home / ".local" / "share"
        cache = environment.get("XDG_CACHE_HOME") or home / ".cache"
        return cls(data=Path(data) / "idleq", cache=Path(cache) / "idleq")

    @property
    def traces(self) -> Path:
        """Traces that the user has added."""
        return self.data / "traces"

    @property
    def read_traces(self) -> Path:
        """Traces as they were read, in arrays."""
        return self.cache / "traces"

    @property
    def machine_code(self) -> Path:
        """What numba has compiled."""
        return self.cache / "numba"

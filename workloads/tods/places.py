"""Where simulated TODs lie."""

from collections.abc import Mapping
from pathlib import Path

from idleq.workloads.contract import Places


def tod_root(environ: Mapping[str, str], option: str | None, places: Places) -> Path:
    """`--data`, else IDLEQ_DATA_DIR, else the user's cache; a guest carries them along with its checkpoints."""
    named = option or environ.get("IDLEQ_DATA_DIR")
    if named:
        return Path(named)
    if places.control is not None:
        return places.checkpoints / "data"
    return Path(environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "idleq" / "tods"

"""Where real logs are found: they are too large for the repository."""

import os
from pathlib import Path


def log_path(file: str) -> Path:
    """Return where *file* would lie: in $IDLEQ_SHARED/data/traces, or in those of a folder `shared` beside the checkout."""
    shared = os.environ.get("IDLEQ_SHARED") or Path(__file__).resolve().parents[2] / "shared"
    return Path(shared) / "data" / "traces" / file

"""A real daemon of its own for a benchmark, in a server directory that is gone afterwards."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from idleq.bootstrap import stop_cluster

IDLEQ = Path(sys.executable).with_name("idleq")


@contextmanager
def serving(config: str = "") -> Iterator[dict[str, str]]:
    """Yield the environment in which `idleq` talks to a daemon that was started with *config* as its config.toml."""
    with tempfile.TemporaryDirectory(prefix="idleq-bench-") as folder:
        (Path(folder) / "config.toml").write_text(config)
        environment = os.environ | {"IDLEQ_SERVER_DIR": folder}
        subprocess.run([IDLEQ, "--quiet", "daemon", "start"], env=environment, check=True, stdout=subprocess.DEVNULL)
        try:
            yield environment
        finally:
            subprocess.run([IDLEQ, "--quiet", "daemon", "stop"], env=environment, check=True, stdout=subprocess.DEVNULL)
            stop_cluster(Path(folder))  # it outlives its daemon on purpose

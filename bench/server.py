"""A real daemon of its own for a benchmark, in a server directory that is gone afterwards."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from idleq.bootstrap import stop_cluster

IDLEQ = Path(sys.executable).with_name("idleq")


@contextmanager
def serving(config: str = "") -> Iterator[dict[str, str]]:
    """Yield the environment in which `idleq` talks to a daemon that was started with *config* as its config.toml."""
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="idleq-bench-"))
        (Path(folder) / "config.toml").write_text(config)
        environment = os.environ | {"IDLEQ_SERVER_DIR": folder}
        stack.callback(stop_cluster, Path(folder))  # it outlives its daemon on purpose
        stack.callback(idleq, "daemon", "stop", environment=environment)
        idleq("daemon", "start", environment=environment)
        yield environment


def idleq(*arguments: str, environment: Mapping[str, str]) -> str:
    """Run one `idleq` command and return what it printed; SystemExit says what it complained about."""
    argv = [str(IDLEQ), "--quiet", *arguments]
    run = subprocess.run(argv, env=environment, capture_output=True, text=True, check=False)
    if run.returncode:
        raise SystemExit(f"idleq {' '.join(arguments)} ended with {run.returncode}: {run.stderr.strip()}")
    return run.stdout.strip()

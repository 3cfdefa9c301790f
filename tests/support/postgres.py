"""A PostgreSQL server of the tests' own: in a temporary directory, on a Unix socket, as an ordinary user."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

PATIENCE_SECONDS = 60


def programs() -> Path | None:
    """Return the folder of the server's programs, None if they are not installed."""
    if on_path := shutil.which("initdb"):
        return Path(on_path).resolve().parent
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    return found[-1].parent if found else None


@contextmanager
def server(folder: Path) -> Iterator[str]:
    """Run the server of *folder*'s programs and give the URL of its database."""
    home = Path(tempfile.mkdtemp(prefix="idleq-pg-"))
    identity = _ordinary_user()
    try:
        if identity:
            os.chown(home, identity["user"], identity["group"])
        initdb: list[str | Path] = [
            folder / "initdb",
            "-D",
            home / "data",
            "-A",
            "trust",
            "-U",
            "idleq",
            "-E",
            "UTF8",
            "--no-locale",
            "-N",
        ]
        subprocess.run(initdb, cwd=home, check=True, capture_output=True, timeout=PATIENCE_SECONDS, **identity)
        argv: list[str | Path] = [folder / "postgres", "-D", home / "data", "-k", home, "-c", "listen_addresses=", "-F"]
        with (home / "log").open("wb") as log:
            process = subprocess.Popen(argv, cwd=home, stdout=log, stderr=log, **identity)
        try:
            url = f"postgresql://idleq@/postgres?host={home}"
            _wait_for(url, process, home / "log")
            yield url
        finally:
            process.send_signal(signal.SIGQUIT)  # at once, its children first
            process.wait(timeout=PATIENCE_SECONDS)
    finally:
        shutil.rmtree(home)


def _ordinary_user() -> dict[str, Any]:
    """Return whom to run as: the server refuses to be root."""
    if os.geteuid() != 0:
        return {}
    names = {entry.pw_name: entry for entry in pwd.getpwall()}
    entry = names.get("postgres") or names["nobody"]
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


def _wait_for(url: str, process: "subprocess.Popen[Any]", log: Path) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            psycopg.connect(url).close()
        except psycopg.OperationalError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"PostgreSQL did not start: {log.read_text()}") from None
            time.sleep(0.05)
        else:
            return

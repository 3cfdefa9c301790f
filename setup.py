"""Stops a build in which src/idleq lacks a folder: without its links the wheel would silently hold a fraction of idleq."""

from pathlib import Path

from setuptools import setup

for folder in ("scheduler", "migration", "simulator", "workloads"):
    if not (Path(__file__).parent / "src" / "idleq" / folder / "__init__.py").is_file():
        raise SystemExit(
            f"src/idleq/{folder} does not lead to the folder {folder}: "
            "clone with symbolic links (git config core.symlinks true), or copy src/ together with the four folders."
        )

setup()

"""What ARCHITECTURE.md says about the layers, held by tests."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("src/idleq", "scheduler", "migration", "simulator", "workloads")

CORE_MAY_IMPORT = {
    "bisect",
    "collections",
    "collections.abc",
    "dataclasses",
    "enum",
    "functools",
    "graphlib",
    "heapq",
    "idleq.errors",
    "idleq.ids",
    "idleq.machines",
    "idleq.scheduler.errors",
    "itertools",
    "math",
    "msgspec",
    "msgspec.structs",
    "operator",
    "re",
    "typing",
}
CORE_MAY_NOT_NAME = {"__import__", "breakpoint", "compile", "eval", "exec", "globals", "input", "open", "print"}

SIMULATOR_MAY_IMPORT = {"core", "ports", "codec", "errors", "jobkeys", "nearest", "palette", "plain", "units"}
EMBEDDED_MAY_IMPORT = SIMULATOR_MAY_IMPORT | {"atomic", "clock", "paths"}
EMBEDDED = {"beginning.py", "book.py", "embedded.py", "host.py", "live.py", "settings.py"}
"""The embedded cluster's modules: a process of its own, with files and the real clock."""

HEAVY = {"ctapipe", "fastapi", "matplotlib", "numpy", "pydantic", "simpy", "sqlalchemy", "sqlmodel", "torch", "uvicorn"}
"""Packages that take longer to import than a client command may take."""

LONGEST_MODULE = 400
LONGEST_FUNCTION = 60


def modules(folder: str) -> list[Path]:
    """The Python files of a real folder; links are other folders' business."""
    return [path for path in sorted((ROOT / folder).rglob("*.py")) if not any(p.is_symlink() for p in path.parents)]


def imports(path: Path) -> Iterator[str]:
    """Yield the modules that *path* imports, anywhere in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module if node.module and not node.level else "a relative import"


def faults(folder: str, allowed: set[str], prefixes: tuple[str, ...]) -> list[str]:
    return [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in modules(folder)
        for name in imports(path)
        if name not in allowed and not any(name == prefix or name.startswith(f"{prefix}.") for prefix in prefixes)
    ]


def test_the_layers_hold() -> None:
    program = Path(sys.executable).with_name("lint-imports")

    run = subprocess.run([program, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)

    assert run.returncode == 0, run.stdout + run.stderr


def test_the_core_imports_values_only() -> None:
    assert faults("scheduler/core", CORE_MAY_IMPORT, ("idleq.scheduler.core",)) == []


def test_the_core_names_nothing_that_reaches_the_world() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno} {node.id}"
        for path in modules("scheduler/core")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id in CORE_MAY_NOT_NAME
    ]

    assert found == []


def test_the_simulator_knows_the_engine_and_the_ports_but_no_adapter() -> None:
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in modules("simulator")
        for name in imports(path)
        if name.startswith("idleq.scheduler.")
        and name.split(".")[2] not in (EMBEDDED_MAY_IMPORT if path.name in EMBEDDED else SIMULATOR_MAY_IMPORT)
    ]

    assert wrong == []


@pytest.mark.parametrize("folder", FOLDERS)
def test_nobody_imports_a_folder_by_its_short_name(folder: str) -> None:
    short = {"scheduler", "migration", "simulator", "workloads"}

    assert [
        f"{path}: {name}" for path in modules(folder) for name in imports(path) if name.split(".")[0] in short
    ] == []


@pytest.mark.parametrize("folder", FOLDERS)
def test_modules_and_functions_stay_short(folder: str) -> None:
    long = []
    for path in modules(folder):
        text = path.read_text()
        name = path.relative_to(ROOT)
        if text.count("\n") > LONGEST_MODULE:
            long.append(f"{name} has {text.count(chr(10))} lines")
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno:
                lines = node.end_lineno - node.lineno + 1
                if lines > LONGEST_FUNCTION:
                    long.append(f"{name}:{node.lineno} {node.name} has {lines} lines")

    assert long == []


def test_the_command_line_starts_without_heavy_packages() -> None:
    program = "import sys; import idleq.cli; print(*sorted({name.partition('.')[0] for name in sys.modules}))"

    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert HEAVY & set(run.stdout.split()) == set()


def test_exit_codes_are_given_out_in_the_error_modules_only() -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for folder in FOLDERS
        for path in modules(folder)
        if path.name != "errors.py"
        for parent in ast.walk(ast.parse(path.read_text()))
        if isinstance(parent, ast.ClassDef)
        for node in parent.body
        if isinstance(node, ast.AnnAssign | ast.Assign) and "exit_code" in ast.unparse(node).partition("=")[0]
    ]

    assert wrong == []

"""What a client command may not import, so that it starts at once; times are measured by the benchmark."""

import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = {
    "cryptography", "ctapipe", "docker", "fastapi", "jinja2", "matplotlib", "numpy", "psutil", "pydantic", "rich", "scipy",
    "simpy", "sqlalchemy", "sqlmodel", "starlette", "structlog", "torch", "uvicorn",
}  # fmt: skip

PROGRAM = """
import sys
from idleq.cli.entry import main
try:
    sys.argv = ["idleq", *sys.argv[1:]]
    main()
except SystemExit as end:
    code = end.code
    names = sorted({name.partition(".")[0] for name in sys.modules})
    print("MODULES", code, *names)
"""


@pytest.mark.parametrize(
    ("arguments", "code"),
    [(["--help"], "0"), (["ps"], "14"), (["ps", "--json"], "14"), (["submit", "count"], "14"), (["logs", "17"], "62")],
)
def test_nothing_heavy_is_imported(tmp_path: Path, arguments: list[str], code: str) -> None:
    environment = {"IDLEQ_SERVER_DIR": str(tmp_path / "server"), "HOME": str(tmp_path)}

    run = subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments], env=environment, capture_output=True, text=True, check=True
    )

    _, ended, *modules = run.stdout.splitlines()[-1].split()
    assert ended == code
    assert HEAVY & set(modules) == set()
    assert not {"simulator", "workloads"} & {name.partition(".")[2] for name in modules}

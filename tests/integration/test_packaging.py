"""What a person gets who installs idleq from its source distribution."""

import shutil
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600), pytest.mark.xdist_group("packaging")]

FOLDERS = ("scheduler", "migration", "simulator", "workloads")


def run(*argv: str | Path, cwd: Path) -> str:
    result = subprocess.run(argv, cwd=cwd, capture_output=True, text=True, check=False)
    assert result.returncode == 0, f"{argv}\n{result.stdout}\n{result.stderr}"
    return result.stdout


@pytest.fixture(scope="module")
def tracked(repository: Path) -> list[str]:
    """Every file that is in the repository, or would be with the next commit."""
    listed = run("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", cwd=repository)
    return [name for name in listed.split("\0") if name and (repository / name).exists()]


@pytest.fixture(scope="module")
def wheel(repository: Path, tracked: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel built from the source distribution of a copy of the tracked files, as a clone would have them."""
    clone, dist = tmp_path_factory.mktemp("clone"), tmp_path_factory.mktemp("dist")
    for name in tracked:
        (clone / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(repository / name, clone / name, follow_symlinks=False)
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", dist, cwd=clone)
    return next(dist.glob("*.whl"))


def test_the_wheel_holds_every_tracked_file_of_the_packages_and_nothing_else(
    repository: Path, tracked: list[str], wheel: Path
) -> None:
    umbrella = {
        name.removeprefix("src/")
        for name in tracked
        if name.startswith("src/") and not (repository / name).is_symlink()
    }
    folders = {f"idleq/{name}" for name in tracked if name.startswith(tuple(f"{folder}/" for folder in FOLDERS))}
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if not name.split("/")[0].endswith(".dist-info")}

    assert held == umbrella | folders


def test_a_copy_without_the_links_does_not_build(repository: Path, tmp_path: Path) -> None:
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE", "src/idleq/__init__.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(repository / name, tmp_path / name)

    argv = [sys.executable, "setup.py", "--version"]
    result = subprocess.run(argv, cwd=tmp_path, capture_output=True, text=True, check=False)

    assert result.returncode == 1
    assert "src/idleq/scheduler does not lead to the folder scheduler: clone with symbolic links" in result.stderr


def test_installed_into_an_empty_environment_the_command_works_anywhere(
    repository: Path, wheel: Path, tmp_path: Path
) -> None:
    venv.create(tmp_path / "venv", with_pip=True)
    python = tmp_path / "venv" / "bin" / "python"
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    run(python, "-m", "pip", "install", "--quiet", "--constraint", repository / "constraints.txt", wheel, cwd=elsewhere)

    assert "Usage: idleq" in run(tmp_path / "venv" / "bin" / "idleq", "--help", cwd=elsewhere)

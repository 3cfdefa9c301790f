"""What the programs do with bad input: one line that says what to do, and an exit code of its own."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import idleq.workloads
from idleq.workloads import cli, errors

CATALOG = Path(idleq.workloads.__file__).with_name("catalog.toml")


def every_error() -> list[type[errors.WorkloadError]]:
    return [errors.WorkloadError, *errors.WorkloadError.__subclasses__()]


def test_every_error_has_an_exit_code_of_its_own_and_none_of_the_contract() -> None:
    codes = [kind.exit_code for kind in every_error()]
    assert len(set(codes)) == len(codes)
    assert not {0, 85, 99} & set(codes)


@pytest.mark.parametrize(
    ("argv", "code", "message"),
    [
        (["count", "--steps", "0", "--output", "o"], 2, "--steps must be at least 1"),
        (["count", "--step-seconds", "nan", "--output", "o"], 2, "--step-seconds"),
        (["count", "--memory-mb", "-1", "--output", "o"], 2, "--memory-mb must be between"),
        (["count"], 2, "give --output DIR"),
        (["train-cgan", "--steps", "0", "--output", "o"], 2, "--steps must be between"),
        (["train-cgan", "--events", "3", "--output", "o"], 2, "at least one batch"),
        (["train-cgan", "--variant", "foo"], 2, "--variant must be one of bell, convolutional, not foo"),
        (["train-cvae", "--variant", "foo"], 2, "--variant must be one of bell, plain, not foo"),
        (["train-todgan", "--variant", "foo"], 2, "--variant must be one of slides, conditional, vae, not foo"),
        (["train-cgan", "--device", "tpu"], 2, "--device must be one of auto, cpu, cuda, not tpu"),
        (["train-cgan", "--threads", "0", "--output", "o"], 2, "--threads must be between"),
        (["generate-cgan", "--weights", "none.safetensors", "--output", "o"], 66, "cannot read the weights"),
        (["generate-cgan", "--weights", "w", "--count", "0", "--output", "o"], 2, "--count must be between"),
        (["train-cvae", "--steps", "0", "--output", "o"], 2, "--steps must be between"),
        (["train-cvae", "--events", "130", "--output", "o"], 2, "must leave a batch (128) beside those kept back"),
        (["generate-cvae", "--weights", "none.safetensors", "--output", "o"], 66, "cannot read the weights"),
        (["train-classifier", "--judged", "1", "--output", "o"], 2, "--judged must be between"),
        (["evaluate-images", "--images", "i", "--judge", "j", "--events", "1", "--output", "o"], 2, "--events must be"),
        (["evaluate-images", "--images", "i", "--judge", "none", "--output", "o"], 66, "cannot read the judge"),
        (["simulate-showers", "--events", "0", "--output", "o"], 2, "--events must be between"),
    ],
)
def test_bad_options_are_refused_and_change_nothing(
    argv: list[str],
    code: int,
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("IDLEQ_OUTPUT_DIR", "IDLEQ_CONTROL", "IDLEQ_CHECKPOINT_DIR"):
        monkeypatch.delenv(name, raising=False)
    assert cli.main(argv) == code
    assert message in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("argv", [["count", "--nope"], ["nope"], [], ["count", "--step", "3"]])
def test_an_unknown_option_or_job_is_a_usage_error(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        cli.main(argv)
    assert left.value.code == 2
    assert "usage: idleq-workload" in capsys.readouterr().err


def test_the_count_job_imports_nothing_heavy(tmp_path: Path) -> None:
    program = (
        "import sys; from idleq.workloads import cli; cli.main(['count', '--steps', '1', '--step-seconds', '0', '--output', sys.argv[1]]);"
        "print([name for name in ('numpy', 'torch', 'ctapipe', 'rich', 'matplotlib') if name in sys.modules])"
    )
    argv = [sys.executable, "-c", program, str(tmp_path)]
    finished = subprocess.run(argv, capture_output=True, text=True, check=True, timeout=60)
    assert finished.stdout == "[]\n"


def test_a_missing_training_package_is_named_with_what_to_install(tmp_path: Path) -> None:
    program = (
        "import sys; sys.modules['torch'] = None; from idleq.workloads import cli;"
        "sys.exit(cli.main(['train-cgan', '--quick', '--output', sys.argv[1]]))"
    )
    argv = [sys.executable, "-c", program, str(tmp_path)]
    finished = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60)
    assert finished.returncode == errors.MissingPackage.exit_code
    assert "'torch' is not installed; install the training extra: pip install 'idleq[train]'" in finished.stderr


def test_the_catalog_names_jobs_that_exist() -> None:
    catalog = tomllib.loads(CATALOG.read_text())
    assert catalog["format"] == 1
    assert set(catalog["jobs"]) == set(cli.JOBS) - {"ingest", "make-data"}
    for name, job in catalog["jobs"].items():
        assert job["command"] == ["{python}", "-m", "idleq.workloads.cli", name]
        assert name in cli.JOBS
        assert set(job) == {
            "description",
            "command",
            "cores",
            "memory",
            "gpus",
            "freeze",
            "expected_duration",
            "environment",
        }
        assert job["freeze"] == "app"


def test_a_training_job_has_one_thread() -> None:
    for name, job in tomllib.loads(CATALOG.read_text())["jobs"].items():
        if name.startswith("train-"):
            assert job["environment"]["OMP_NUM_THREADS"] == "1"

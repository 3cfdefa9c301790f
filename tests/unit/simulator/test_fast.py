import os
import sys
from pathlib import Path

import pytest

import idleq.simulator.fast
from idleq.simulator.errors import FastMissing, ImpossibleParameters, JobTooLarge
from idleq.simulator.fast import kernels
from idleq.simulator.fast.engine import must_compile, replay_fast
from idleq.simulator.jobs import MainJob
from idleq.simulator.queueing import Semantics
from idleq.simulator.table import table_of

PLAIN = Semantics.PER_TIMESTAMP
TABLE = table_of([MainJob(id=7, submit=3, run=5, limit=9, size=4), MainJob(id=8, submit=4, run=5, limit=9, size=1)])


def test_without_numba_the_message_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "numba", None)
    with pytest.raises(FastMissing, match=r"pip install 'idleq\[fast\]'"):
        replay_fast(TABLE, 4, "easy", PLAIN, tmp_path / "code")


def test_a_run_compiles_first_unless_newer_code_is_there_or_it_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("numba")
    source = Path(kernels.__file__).stat().st_mtime
    assert must_compile("easy", tmp_path / "nowhere")
    assert not must_compile("slurm", tmp_path / "nowhere")

    (tmp_path / "fast").mkdir()
    index = tmp_path / "fast" / "kernels.simulate-1.py311.nbi"
    index.touch()
    os.utime(index, (source, source - 1))
    assert must_compile("easy", tmp_path)
    os.utime(index, (source, source + 1))
    assert not must_compile("easy", tmp_path)


def test_a_job_larger_than_the_machine_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(JobTooLarge, match="main job 7 asks for 4 of 3"):
        replay_fast(TABLE, 3, "easy", PLAIN, tmp_path)


def test_a_policy_that_is_not_compiled_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ImpossibleParameters, match="the fast engine has no slurm"):
        replay_fast(TABLE, 4, "slurm", PLAIN, tmp_path)


def test_machine_code_goes_where_it_is_told_or_nowhere_that_lasts(tmp_path: Path) -> None:
    pytest.importorskip("numba")
    (tmp_path / "file").write_text("in the way")

    for folder in (tmp_path / "code", tmp_path / "file" / "code"):
        start, passes = replay_fast(TABLE, 4, "easy", PLAIN, folder)
        assert (start.tolist(), passes) == ([3, 8], 2)

    assert any((tmp_path / "code").rglob("*.nbi"))
    assert not any(Path(idleq.simulator.fast.__file__).parent.rglob("*.nb?"))

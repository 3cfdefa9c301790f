from dataclasses import replace
from pathlib import Path

import pytest

from testbed.roots import TRIXIE, cache, is_made, log_of


def test_a_root_of_another_recipe_is_another_and_lies_outside_the_checkout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    other = replace(TRIXIE, packages=TRIXIE.packages[1:])
    made = cache() / "roots" / TRIXIE.key
    assert not is_made(TRIXIE)

    made.mkdir(parents=True)

    assert (is_made(TRIXIE), is_made(other), is_made(replace(TRIXIE, suite="sid"))) == (True, False, False)
    assert (cache(), log_of(TRIXIE)) == (tmp_path / "idleq" / "testbed", made.with_suffix(".log"))

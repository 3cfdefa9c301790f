"""The jobs of `make science` under a real daemon: what fails holds up only what needs it, and is begun anew by the next run."""

from collections.abc import Sequence

import pytest

from bench.science.begun import code, read
from bench.science.plan import Step
from bench.science.running import Place, put_aside, ran, run_all, serving


def a_step(name: str, options: Sequence[str], *after: str) -> Step:
    return Step(name=name, workload="count", part="main", after=after, options=lambda _: list(options))


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_what_fails_holds_up_only_what_needs_it_and_is_begun_anew(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = Place(tmp_path_factory.mktemp("r"))  # a short path: sockets lie below it
    (place.root / "results").mkdir()
    monkeypatch.setenv("IDLEQ_SERVER_DIR", str(place.server.root))
    quick = ("--steps", "3", "--step-seconds", "0.01")
    later = [a_step("later", quick, "broken"), a_step("last", quick, "later")]
    seen: set[str] = set()

    with serving(place, nodes=2, speed=0.001):
        failed = run_all(
            place,
            [a_step("broken", ["--nonesuch"]), a_step("sound", quick), *later],
            lambda looked: seen.update(row.name for row in looked.rows.values()),
        )
        assert [text.split(" as job")[0] for text in failed] == [
            "broken is failed",
            "later was not run: there is no broken",
            "last was not run: there is no later",
        ]
        assert seen == {"broken", "sound"}
        assert place.result("sound").is_dir()

        mended = [a_step("broken", quick), a_step("sound", quick), *later]
        assert run_all(place, mended, lambda _: None) == []
        before = read(place.jobs)
        assert {one.code for one in before.values()} == {code()}

        others = [a_step("broken", [*quick, "--seed", "2"]), a_step("sound", quick), *later]
        assert put_aside(place, others) == ["last", "later", "broken"]
        assert run_all(place, others, lambda _: None) == []
        after = read(place.jobs)
        assert [name for name in after if after[name].job != before[name].job] == ["broken", "later", "last"]

    assert sorted(path.name for path in (place.root / "results").iterdir()) == ["broken", "last", "later", "sound"]
    assert list(ran(place, mended)) == ["broken", "sound", "later", "last"]

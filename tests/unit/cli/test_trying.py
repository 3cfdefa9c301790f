"""`idleq try`: what a person is told, and what cannot be tried at all. That it runs what it is given: tests/acceptance."""

from idleq.cli.commands.trying import shown
from idleq.cli.result import Table
from idleq.ids import Millis
from idleq.scheduler.agent.trial import Tried, Tryout
from idleq.scheduler.core.submission import FreezeMethod
from support.command_line import CommandLine


def came(advice: FreezeMethod, files: int = 2) -> Tryout:
    tried = (
        Tried(way=FreezeMethod.CRIU, works=False, found="not found"),
        Tried(way=FreezeMethod.APP, works=True, found="the same"),
    )
    return Tryout(took_ms=Millis(2_140), files=files, tried=tried, advice=advice)


def test_whoever_tries_what_can_be_frozen_is_told_how_to_submit_it() -> None:
    assert shown(came(FreezeMethod.APP), "-- run 'a b'") == (
        "Undisturbed it takes 2.1 s and leaves 2 files.",
        Table(
            columns=("FREEZE", "WORKS", "WHAT WAS FOUND"),
            rows=[("criu", "no", "not found"), ("app", "yes", "the same")],
        ),
        "It can be a guest: idleq submit --freeze app -- run 'a b'",
    )


def test_whoever_tries_what_cannot_is_told_what_is_left() -> None:
    first, _, verdict = shown(came(FreezeMethod.NONE, files=1), "-- run")
    assert first == "Undisturbed it takes 2.1 s and leaves 1 file."
    assert str(verdict).startswith("It can be a guest only if it may begin anew whenever its gap ends")


def test_nothing_to_try_and_workloads_that_there_are_not_are_refused(idleq: CommandLine) -> None:
    assert idleq("try").code == 2
    unknown = idleq("try", "nonesuch")
    assert (unknown.code, unknown.out) == (19, "")
    assert "there is no workload 'nonesuch'" in unknown.err

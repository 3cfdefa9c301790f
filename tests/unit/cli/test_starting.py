import pytest

from idleq.cli.starting import WHILE_SECONDS, Patience


def test_whoever_waits_for_a_daemon_gives_up_so_long_after_its_last_sign_of_life() -> None:
    patience = Patience(90, sign=7, now=1000)

    assert [patience.lasts(7, 1050), patience.lasts(8, 1080), patience.lasts(8, 1169)] == [True, True, True]
    assert not patience.lasts(8, 1170)


@pytest.mark.parametrize(
    ("seconds", "is_told"), [(WHILE_SECONDS - 1, False), (WHILE_SECONDS, True), (WHILE_SECONDS + 1, True)]
)
def test_a_daemon_at_work_is_worth_a_word_when_it_takes_a_while(seconds: float, *, is_told: bool) -> None:
    patience = Patience(90, sign=0, now=0)
    patience.lasts(1, seconds)
    told = patience.deserves_a_word
    patience.lasts(2, seconds + 5)

    assert told == is_told
    assert patience.deserves_a_word == (not is_told), "it is told once"

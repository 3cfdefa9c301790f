import signal
from collections.abc import Iterator

import pytest

from idleq.scheduler.signals import on_stop


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    """Put back what a failing test leaves behind."""
    before = {each: signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR2)}
    yield
    for each, handler in before.items():
        signal.signal(each, handler)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_each_signal_that_comes_is_a_call(number: signal.Signals) -> None:
    came: list[signal.Signals] = []
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with on_stop(came.append):
        signal.raise_signal(number)
        signal.raise_signal(number)
    assert came == [number, number]


def test_what_was_set_before_is_set_again_even_after_an_error() -> None:
    earlier: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _frame: earlier.append(number))
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    with pytest.raises(RuntimeError, match="boom"), on_stop(lambda _: None):
        raise RuntimeError("boom")
    signal.raise_signal(signal.SIGTERM)
    assert (earlier, signal.getsignal(signal.SIGINT)) == ([signal.SIGTERM], signal.SIG_DFL)


def test_an_interrupt_that_the_shell_wants_ignored_stays_ignored() -> None:
    came: list[signal.Signals] = []
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with on_stop(came.append):
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
        signal.raise_signal(signal.SIGTERM)
    assert (came, signal.getsignal(signal.SIGINT)) == ([signal.SIGTERM], signal.SIG_IGN)


def test_only_the_signals_asked_for_are_taken() -> None:
    came: list[signal.Signals] = []
    before = signal.getsignal(signal.SIGTERM)
    with on_stop(came.append, [signal.SIGUSR2]):
        signal.raise_signal(signal.SIGUSR2)
        assert signal.getsignal(signal.SIGTERM) == before
    assert came == [signal.SIGUSR2]

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from idleq.ids import Millis
from idleq.scheduler.units import format_duration, format_size, parse_duration, parse_size, span, span_in_words


@pytest.mark.parametrize(
    ("text", "millis"),
    [
        ("30s", 30_000),
        ("0s", 0),
        ("250ms", 250),
        ("1h30m", 5_400_000),
        (" 1h 30m ", 5_400_000),
        ("1.5h", 5_400_000),
        ("2d", 172_800_000),
        ("1m1s1ms", 61_001),
    ],
)
def test_a_duration_is_read_in_its_units(text: str, millis: int) -> None:
    assert parse_duration(text) == millis


@pytest.mark.parametrize(
    "text", ["", "30", "-30s", "s", "1 h 3", "1e3s", "30S", "1,5h", "\u0663s", "30s;", "9" * 19 + "s", "30 seconds"]
)
def test_what_is_no_duration_is_refused_with_what_is(text: str) -> None:
    with pytest.raises(ValueError, match='is not a duration like "30s"'):
        parse_duration(text)


def test_a_part_of_a_millisecond_is_refused() -> None:
    with pytest.raises(ValueError, match=r"'0\.5ms' is no whole number of milliseconds"):
        parse_duration("0.5ms")


@given(st.integers(0, 10**14))
@settings(deadline=None)
def test_a_duration_comes_back_as_it_was(millis: int) -> None:
    assert parse_duration(format_duration(Millis(millis))) == millis


@pytest.mark.parametrize(("millis", "text"), [(0, "0s"), (5_400_000, "1h30m"), (1001, "1s1ms"), (86_400_000, "1d")])
def test_a_duration_is_written_in_its_largest_units(millis: int, text: str) -> None:
    assert format_duration(Millis(millis)) == text


@pytest.mark.parametrize(
    ("millis", "short", "words"),
    [
        (0, "0s", "0 s"),
        (1840, "1s", "1.84 s"),
        (42_400, "42s", "42 s"),
        (59_999, "59s", "1 min"),
        (60_000, "1m", "1 min"),
        (310_000, "5m10s", "5 min 10 s"),
        (7_200_000, "2h", "2 h"),
        (7_505_000, "2h5m", "2 h 05 min"),
        (187_200_000, "2d4h", "2 d 04 h"),
        (86_400_000, "1d", "1 d"),
    ],
)
def test_a_duration_is_told_in_its_two_largest_units(millis: int, short: str, words: str) -> None:
    assert (span(millis), span_in_words(millis)) == (short, words)


def test_a_duration_before_now_has_a_sign() -> None:
    assert span(-310_000) == "-5m10s"


@pytest.mark.parametrize(
    ("text", "size"), [("2G", 2**31), ("1.5K", 1536), ("512 M", 2**29), ("3B", 3), ("1TiB", 2**40), ("0B", 0)]
)
def test_a_size_is_read_in_powers_of_1024(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "2", "2GB", "-2G", "2g", "G", "1G2M", "2BiB", "1e3M"])
def test_what_is_no_size_is_refused_with_what_is(text: str) -> None:
    with pytest.raises(ValueError, match='is not a size like "512M"'):
        parse_size(text)


@given(st.integers(0, 2**50))
@settings(deadline=None)
def test_a_size_comes_back_as_it_was(size: int) -> None:
    assert parse_size(format_size(size)) == size

"""Lines that somebody else is writing."""

from pathlib import Path

from idleq.scheduler.agent.tail import MOST, Tail, whole_number


def test_each_whole_line_is_read_once_and_half_a_line_waits(tmp_path: Path) -> None:
    path = tmp_path / "progress.jsonl"
    tail = Tail(path)
    assert tail.new_lines() == []
    path.write_text('{"step": 1}\n{"step": 2}\n{"st')
    assert tail.new_lines() == [{"step": 1}, {"step": 2}]
    assert tail.new_lines() == []
    with path.open("a") as file:
        file.write('ep": 3}\n')
    assert tail.new_lines() == [{"step": 3}]


def test_nonsense_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "progress.jsonl"
    path.write_bytes(b'\xff\n[1]\n"x"\n' + b"[" * 100_000 + b'\n{"step": 4}\n')
    assert Tail(path).new_lines() == [{"step": 4}]


def test_a_file_that_was_replaced_is_read_from_its_beginning(tmp_path: Path) -> None:
    path = tmp_path / "progress.jsonl"
    path.write_text('{"step": 1}\n{"step": 2}\n')
    tail = Tail(path)
    tail.new_lines()
    (tmp_path / "new").write_text('{"step": 1}\n{"step": 5}\n')
    (tmp_path / "new").replace(path)
    assert tail.new_lines() == [{"step": 1}, {"step": 5}]
    path.write_text('{"step": 9}\n')
    assert tail.new_lines() == [{"step": 9}]


def test_of_a_flood_only_the_end_is_read(tmp_path: Path) -> None:
    path = tmp_path / "progress.jsonl"
    path.write_text("".join(f'{{"step": {step}}}\n' for step in range(200_000)))
    lines = Tail(path).new_lines()
    assert lines[-1] == {"step": 199_999}
    assert len(lines) < MOST / 10


def test_only_whole_numbers_that_make_sense_count() -> None:
    line = {"a": 3, "b": True, "c": -1, "d": 1.5, "e": "3", "f": 1 << 60}
    assert {key: whole_number(line, key) for key in "abcdefg"} == {"a": 3} | dict.fromkeys("bcdefg")


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text('{"step": 1}\n')
    (tmp_path / "progress.jsonl").symlink_to("elsewhere")
    assert Tail(tmp_path / "progress.jsonl").new_lines() == []

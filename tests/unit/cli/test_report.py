from pathlib import Path

from support.command_line import CommandLine


def test_a_page_that_cannot_be_written_is_refused_before_the_journal_is_read(
    idleq: CommandLine, tmp_path: Path
) -> None:
    idleq.server_dir.mkdir(mode=0o700, exist_ok=True)

    outcome = idleq("report", "--html", str(tmp_path / "nowhere" / "page.html"))

    said = f"{tmp_path}/nowhere/page.html cannot be written: its folder must be there and be yours to write in"
    assert (outcome.code, outcome.out) == (82, "")
    assert outcome.err.startswith(f"idleq: {said}")

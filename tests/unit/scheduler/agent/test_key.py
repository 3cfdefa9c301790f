from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from idleq.scheduler.agent.key import FromTicket, from_file


def test_a_file_is_read_anew_whenever_the_line_is_made(tmp_path: Path) -> None:
    file = tmp_path / "token"
    key = from_file(file)
    for token in ("one", "two"):
        file.write_text(f"{token}\n")
        assert key(lambda _: "nothing is exchanged") == token


def test_a_ticket_is_exchanged_once_by_whichever_line_comes_first() -> None:
    given: list[str] = []

    def exchange(ticket: str) -> str:
        given.append(ticket)
        return f"token {len(given)}"

    key = FromTicket("ticket")
    with ThreadPoolExecutor(4) as lines:
        assert set(lines.map(lambda _: key(exchange), range(20))) == {"token 1"}
    assert given == ["ticket"]


def test_a_ticket_that_could_not_be_shown_is_kept_for_the_next_time() -> None:
    def fail(_ticket: str) -> str:
        raise ConnectionResetError

    key = FromTicket("ticket")
    with pytest.raises(ConnectionResetError):
        key(fail)
    assert key(lambda ticket: f"for {ticket}") == "for ticket"

from collections.abc import Callable
from pathlib import Path

import pytest

from idleq.ids import Millis
from idleq.scheduler.slurm.errors import SlurmRefused, SlurmTokenUnusable
from idleq.scheduler.slurm.token import AGAIN_MS, TokenFile, ends_at, parse_token
from support.slurm import token

LIFE = Millis(400_000)
START = Millis(1_800_000_000_000)


class Hand:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.at = START

    def now(self) -> Millis:
        return self.at


class Rig:
    """A token's file, a clock, and a site that gives fresh tokens for as long as *allows* is true."""

    def __init__(self, folder: Path) -> None:
        self.path, self.clock, self.allows, self.asked = folder / "slurm.token", Hand(), False, 0
        self.on_renewal: Callable[[], object] = lambda: None
        self.token = TokenFile(self.path, self.clock, self.renew, LIFE)

    def renew(self) -> str:
        self.asked += 1
        self.on_renewal()
        if not self.allows:
            raise SlurmRefused("scontrol: token creation is disabled")
        return f"SLURM_JWT={token(self.clock.at + LIFE)}\n"

    def put(self, text: str, mode: int = 0o600) -> None:
        self.path.write_text(text)
        self.path.chmod(mode)


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path)


@pytest.mark.parametrize("text", ["a.b.c", "a.b.c\n", "SLURM_JWT=a.b.c\n"])
def test_a_token_may_be_kept_as_scontrol_prints_it(text: str) -> None:
    assert parse_token(text) == "a.b.c"


@pytest.mark.parametrize("text", ["", "a.b", "a.b.c.d", "a.b.c d", "a.b.c\nd.e.f", "ä.b.c"])
def test_what_is_no_token_is_refused(text: str) -> None:
    with pytest.raises(SlurmTokenUnusable, match="that is no token"):
        parse_token(text)


@pytest.mark.parametrize(
    ("text", "end"), [(token(5_000), 5_000), (token(None), None), ("a.b.c", None), ("a.bnVsbA.c", None)]
)
def test_a_token_says_itself_when_it_ends(text: str, end: int | None) -> None:
    assert ends_at(text) == end


def test_a_token_that_holds_is_used_as_it_is_and_a_fresh_one_as_soon_as_it_is_there(rig: Rig) -> None:
    rig.put(token(START + LIFE))
    assert rig.token() == token(START + LIFE)
    rig.put(token(START + 2 * LIFE))
    assert rig.token() == token(START + 2 * LIFE)
    assert rig.asked == 0


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620])
def test_a_token_that_others_can_read_or_change_is_not_used(rig: Rig, mode: int) -> None:
    rig.allows = True
    rig.put(token(START + LIFE), mode)
    with pytest.raises(SlurmTokenUnusable, match="chmod 600") as refused:
        rig.token()
    assert refused.value.transient
    assert rig.asked == 0


def test_where_the_site_lets_us_the_token_is_made_and_renewed_in_the_last_quarter_of_its_life(rig: Rig) -> None:
    rig.allows = True
    assert rig.token() == token(START + LIFE)
    assert (rig.path.stat().st_mode & 0o777, rig.path.read_text()) == (0o600, token(START + LIFE) + "\n")
    rig.clock.at = Millis(START + LIFE * 3 // 4 - 1)
    assert rig.token() == token(START + LIFE)
    rig.clock.at = Millis(rig.clock.at + 1)
    assert rig.token() == token(rig.clock.at + LIFE)
    assert rig.asked == 2


def test_a_token_that_cannot_be_renewed_is_used_to_its_end_and_then_it_is_said_what_to_do(rig: Rig) -> None:
    rig.put(token(START + LIFE))
    rig.clock.at = Millis(START + LIFE - 1_000)
    assert [rig.token(), rig.token()] == [token(START + LIFE)] * 2
    assert rig.asked == 1, "and the site is not asked at each poll"
    rig.clock.at = Millis(START + LIFE + AGAIN_MS)
    with pytest.raises(SlurmTokenUnusable) as refused:
        rig.token()
    assert str(refused.value) == (
        f"the token in {rig.path} expired 60 s ago: type `umask 077; scontrol token lifespan=400 > {rig.path}`"
        " (idleq cannot: scontrol: token creation is disabled); the daemon goes on by itself then"
    )
    rig.put(token(START + 9 * LIFE))
    assert rig.token() == token(START + 9 * LIFE)


def test_a_fresh_token_that_cannot_be_written_leaves_the_old_one_in_use(tmp_path: Path) -> None:
    folder = tmp_path / "shared"
    folder.mkdir()
    rig = Rig(folder)
    rig.put(token(START + LIFE))
    rig.allows, rig.clock.at = True, Millis(START + LIFE - 1_000)
    rig.on_renewal = lambda: folder.rename(tmp_path / "away")
    assert rig.token() == token(START + LIFE)


def test_a_token_whose_folder_is_not_there_is_asked_of_people(tmp_path: Path) -> None:
    rig = Rig(tmp_path / "nowhere")
    rig.allows = True
    with pytest.raises(SlurmTokenUnusable, match=r"there is no token in .*idleq cannot: .*No such file"):
        rig.token()


def test_where_there_is_no_token_it_is_said_how_to_make_one(rig: Rig) -> None:
    with pytest.raises(
        SlurmTokenUnusable, match=r"there is no token in .*scontrol token lifespan=400 > .*slurm\.token`"
    ):
        rig.token()


def test_a_file_that_holds_something_else_is_named(rig: Rig) -> None:
    rig.put("hello")
    with pytest.raises(SlurmTokenUnusable, match=r"slurm\.token: that is no token"):
        rig.token()

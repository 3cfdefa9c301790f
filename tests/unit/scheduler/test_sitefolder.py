import stat
from pathlib import Path

import pytest

from idleq.scheduler.api.access import Access, read_door, write_door
from idleq.scheduler.errors import BadMessage, ServerDirectoryUnsafe, ServerDirectoryUnusable
from idleq.scheduler.paths import ServerPaths
from idleq.scheduler.sitefolder import SiteFolder
from support.daemon import NOON


def test_everybody_can_make_a_folder_there_and_remove_only_their_own(tmp_path: Path) -> None:
    site = SiteFolder(tmp_path / "site")
    for _ in range(2):
        site.create()
    assert [stat.S_IMODE(path.stat().st_mode) for path in (site.root, site.users)] == [0o755, 0o1777]


def test_a_folder_in_which_others_could_put_another_door_is_not_used(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    with pytest.raises(ServerDirectoryUnsafe, match="chmod 755"):
        SiteFolder(tmp_path).create()


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    with pytest.raises(ServerDirectoryUnusable, match=r"server\.shared"):
        SiteFolder(tmp_path / "no" / "such").create()


@pytest.mark.parametrize("user", ["", ".", "..", "a/b", "../../etc", ".hidden"])
def test_nobody_is_called_so_that_the_folder_would_be_elsewhere(user: str) -> None:
    with pytest.raises(BadMessage):
        SiteFolder(Path("/s")).of(user)


def test_a_users_folder_leads_to_the_daemon_and_tells_nothing_that_lets_in(tmp_path: Path) -> None:
    site = SiteFolder(tmp_path)
    site.create()
    alice = site.of("alice")
    assert read_door(alice) is None
    write_door(site.door, Access(url="https://h:1", token="secret", certificate="pem", pid=1, started=NOON))
    found = read_door(alice)
    assert found is not None
    assert (found[0].url, found[0].certificate, found[1]) == ("https://h:1", "pem", tmp_path.stat().st_uid)
    assert "secret" not in site.door.read_text()
    assert stat.S_IMODE(site.door.stat().st_mode) == 0o644


def test_an_ordinary_server_directory_has_no_door(tmp_path: Path) -> None:
    assert read_door(ServerPaths(tmp_path / "a" / "b")) is None

"""Encrypted streams: nothing of them can be changed, left out, moved or taken from elsewhere."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from idleq.migration.errors import KeyUnusable, SnapshotDamaged
from idleq.migration.sealing import CHUNK, SALT, TAG, Key, Keyring, read_keys, sealed, unsealed

KEY, OTHER = Key(bytes(range(32))), Key(bytes(32))
CONTENT = os.urandom(2 * CHUNK + 1000)
WHOLE = CHUNK + TAG


def seal(content: bytes, path: str = "output/x") -> bytes:
    return b"".join(sealed([content], KEY, path))


def open_(stored: bytes, key: Key = KEY, path: str = "output/x") -> bytes:
    return b"".join(unsealed([stored], key, path))


def in_pieces(content: bytes, size: int) -> Iterator[bytes]:
    return (content[begin : begin + size] for begin in range(0, len(content), size))


@pytest.mark.parametrize("size", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 2 * CHUNK + 1000])
def test_what_is_opened_is_what_was_sealed_whatever_its_size(size: int) -> None:
    assert open_(seal(CONTENT[:size])) == CONTENT[:size]


def test_it_does_not_matter_in_which_pieces_it_comes() -> None:
    stored = b"".join(sealed(in_pieces(CONTENT, 300_001), KEY, "x"))
    assert len(stored) == SALT + len(CONTENT) + 3 * TAG
    assert b"".join(unsealed(in_pieces(stored, 7_001), KEY, "x")) == CONTENT


def test_the_same_content_is_never_stored_as_the_same_bytes() -> None:
    assert seal(CONTENT) != seal(CONTENT)


def chunks(stored: bytes) -> list[bytes]:
    return [stored[SALT:][begin : begin + WHOLE] for begin in range(0, len(stored) - SALT, WHOLE)]


def again(stored: bytes, *order: int) -> bytes:
    return stored[:SALT] + b"".join(chunks(stored)[number] for number in order)


def flipped(stored: bytes, place: int) -> bytes:
    return stored[:place] + bytes([stored[place] ^ 1]) + stored[place + 1 :]


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "a bit of the first chunk": lambda stored: flipped(stored, SALT + 5),
    "a bit of the last tag": lambda stored: flipped(stored, len(stored) - 1),
    "a bit of the salt": lambda stored: flipped(stored, 3),
    "chunks swapped": lambda stored: again(stored, 1, 0, 2),
    "a chunk twice": lambda stored: again(stored, 0, 0, 1, 2),
    "a chunk left out": lambda stored: again(stored, 0, 2),
    "the last chunk cut off": lambda stored: again(stored, 0, 1),
    "cut within a chunk": lambda stored: stored[:-1],
    "cut to the salt": lambda stored: stored[:SALT],
    "cut within the salt": lambda stored: stored[: SALT - 1],
    "nothing left": lambda _: b"",
    "something behind it": lambda stored: stored + b"\0",
    "a chunk of another seal of the same file": lambda stored: again(seal(CONTENT), 0) + again(stored, 1, 2)[SALT:],
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_what_is_not_as_it_was_stored_does_not_open(damage: str) -> None:
    with pytest.raises(SnapshotDamaged):
        open_(DAMAGES[damage](seal(CONTENT)))


def test_another_key_does_not_open_it_nor_the_right_one_under_another_name() -> None:
    stored = seal(CONTENT)
    with pytest.raises(SnapshotDamaged):
        open_(stored, OTHER)
    with pytest.raises(SnapshotDamaged):
        open_(stored, path="output/y")


def test_a_key_is_named_without_being_shown() -> None:
    assert KEY.id != OTHER.id
    assert KEY.id == Key(bytes(range(32))).id
    assert KEY.secret.hex() not in f"{KEY!r} {KEY.id} {Keyring((KEY,))!r}"
    assert KEY.id not in KEY.secret.hex()


def key_file(tmp_path: Path, text: str, mode: int = 0o600) -> Path:
    path = tmp_path / "key"
    path.write_text(text)
    path.chmod(mode)
    return path


def test_a_key_file_holds_a_key_a_line_the_newest_first(tmp_path: Path) -> None:
    path = key_file(tmp_path, f"{KEY.secret.hex()}\n\n{OTHER.secret.hex().upper()}\n")
    assert read_keys(path) == Keyring((KEY, OTHER))
    assert read_keys(path).newest == KEY


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620])
def test_a_key_file_that_others_can_read_or_write_is_not_used(tmp_path: Path, mode: int) -> None:
    with pytest.raises(KeyUnusable, match="chmod 600"):
        read_keys(key_file(tmp_path, KEY.secret.hex(), mode))


@pytest.mark.parametrize("text", ["", "\n", "00", "zz" * 32, "00" * 33, "00" * 32 + "\nx"])
def test_a_key_file_that_holds_no_keys_is_refused_with_how_to_make_one_and_without_what_it_holds(
    tmp_path: Path, text: str
) -> None:
    with pytest.raises(KeyUnusable, match="openssl rand -hex 32") as refused:
        read_keys(key_file(tmp_path, text))
    assert "zz" not in str(refused.value)


def test_a_key_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(KeyUnusable, match="No such file"):
        read_keys(tmp_path / "nowhere")

"""Encryption of what is stored: each file a stream of chunks, none of which can be changed, left out, moved or taken from another file.

The construction is STREAM (Hoang, Reyhanitabar, Rogaway and Vizar, "Online Authenticated-Encryption and its Nonce-Reuse
Misuse-Resistance", CRYPTO 2015) in the form that the file format age gives it (C2SP, age, "Payload"): a key of its own for each file,
by HKDF-SHA-256 from the configured one, 32 random bytes and the file's path; chunks under an AEAD whose nonce is the chunk's number
and, in its last byte, whether it is the last. The AEAD is AES-256-GCM, which CPUs have instructions for; age has ChaCha20-Poly1305.

    stored file = salt (32 bytes), chunk 0, chunk 1, ..., last chunk        chunk = at most 1 MiB, encrypted, and a tag of 16 bytes
"""

import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from idleq.migration.errors import KeyUnusable, SnapshotDamaged, SnapshotLocked

METHOD = "aes-256-gcm-stream"

CHUNK = 1 << 20
TAG = 16
SALT = 32
KEY = 32

_COUNTER = 11
"""Bytes of the nonce that count chunks; the one that is left says whether it is the last."""


@dataclass(frozen=True, slots=True, repr=False)
class Key:
    """One key; it is never printed."""

    secret: bytes

    @property
    def id(self) -> str:
        """What names it in a manifest: nothing of the key can be learned from it."""
        return _derived(self.secret, b"", b"idleq snapshot key id", 8).hex()

    def of(self, path: str, salt: bytes) -> bytes:
        """Return the key of one file."""
        return _derived(self.secret, salt, b"idleq snapshot file\0" + os.fsencode(path), KEY)


@dataclass(frozen=True, slots=True, repr=False)
class Keyring:
    """The configured keys: the first encrypts, all of them decrypt, so that a key can be changed while old snapshots are there."""

    keys: tuple[Key, ...] = ()

    @property
    def newest(self) -> Key | None:
        """The key that encrypts; None where nothing is encrypted."""
        return self.keys[0] if self.keys else None

    def find(self, method: str, name: str) -> Key | None:
        """Return the key called *name*, None for what is not encrypted.

        Raises:
            SnapshotLocked: it is not here.
        """
        if not method:
            return None
        if method != METHOD:
            raise SnapshotLocked(f"it is encrypted by {method!r}, which this idleq does not know")
        for key in self.keys:
            if key.id == name:
                return key
        have = ", ".join(key.id for key in self.keys)
        raise SnapshotLocked(f"it is encrypted with key {name}, and here {'is ' + have if have else 'is none at all'}")


NO_KEYS = Keyring()


def read_keys(path: Path) -> Keyring:
    """Return the keys in *path*, one a line in hexadecimal digits, the newest first.

    Raises:
        KeyUnusable: it cannot be read, others can read it, or it holds something else.
    """
    how = f"make one by: (umask 077; openssl rand -hex {KEY} > {path})"
    try:
        with path.open("rb") as file:
            found = os.fstat(file.fileno())
            lines = [line.strip() for line in file.read(1 << 16).splitlines()]
    except OSError as error:
        raise KeyUnusable(f"the key file {path} cannot be read: {error.strerror}; {how}") from error
    if not stat.S_ISREG(found.st_mode) or found.st_mode & 0o077 or found.st_uid not in {os.geteuid(), 0}:
        raise KeyUnusable(
            f"others could read the key file {path} (mode {found.st_mode & 0o777:o}); type: chmod 600 {path}"
        )
    try:
        secrets = [bytes.fromhex(line.decode("ascii")) for line in lines if line]
    except ValueError:
        secrets = []
    if not secrets or any(len(secret) != KEY for secret in secrets):
        raise KeyUnusable(f"the key file {path} must hold keys of {2 * KEY} hexadecimal digits, one a line; {how}")
    return Keyring(tuple(map(Key, secrets)))


def sealed(pieces: Iterable[bytes], key: Key, path: str) -> Iterator[bytes]:
    """Yield what is stored of the file *path* that *pieces* make up."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    salt = os.urandom(SALT)
    cipher = AESGCM(key.of(path, salt))
    yield salt
    for number, (chunk, is_last) in enumerate(_chunks(pieces, CHUNK)):
        yield cipher.encrypt(_nonce(number, is_last=is_last), chunk, None)


def unsealed(pieces: Iterable[bytes], key: Key, path: str) -> Iterator[bytes]:
    """Yield what `sealed` was given.

    Raises:
        SnapshotDamaged: something is missing, was changed, or is of another file.
    """
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    stream = iter(pieces)
    head = b""
    while len(head) < SALT:
        piece = next(stream, b"")
        if not piece:
            raise SnapshotDamaged(f"{path!r} ends before its first chunk")
        head += piece
    cipher = AESGCM(key.of(path, head[:SALT]))
    for number, (chunk, is_last) in enumerate(_chunks(_before(head[SALT:], stream), CHUNK + TAG)):
        try:
            yield cipher.decrypt(_nonce(number, is_last=is_last), chunk, None)
        except (InvalidTag, ValueError) as error:
            raise SnapshotDamaged(
                f"{path!r} does not open: its chunk {number} was changed, moved or cut off, or is of another file"
            ) from error


def _chunks(pieces: Iterable[bytes], size: int) -> Iterator[tuple[bytes, bool]]:
    """Yield what *pieces* make up in chunks of *size*, each with whether it is the last; of nothing there is one, empty chunk."""
    held = b""
    for piece in pieces:
        if len(held) == size and len(piece) == size:
            # As pieces come from a file: nothing has to be put together.
            yield held, False
            held = piece
            continue
        joined = held + piece
        whole = max(len(joined) - 1, 0) // size * size
        for begin in range(0, whole, size):
            yield joined[begin : begin + size], False
        held = joined[whole:]
    yield held, True


def _before(first: bytes, rest: Iterable[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest


def _nonce(number: int, *, is_last: bool) -> bytes:
    return number.to_bytes(_COUNTER, "big") + bytes([is_last])


def _derived(secret: bytes, salt: bytes, info: bytes, length: int) -> bytes:
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    return HKDF(algorithm=SHA256(), length=length, salt=salt, info=info).derive(secret)

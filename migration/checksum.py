"""Digests of what is stored: BLAKE3 where its package is installed, as it is far quicker than the disk; else SHA-256, which may be slower."""

import importlib.util
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from hashlib import sha256
from types import TracebackType
from typing import Any, Self

SHA256, BLAKE3 = "sha256", "blake3"

AHEAD = 8
"""Pieces that may wait to be hashed: memory stays bounded."""

BESIDE = 4 << 20
"""From so many bytes on another thread reckons SHA-256: it is about as fast as a good disk, so that in turns they would take twice as long."""


def has_blake3() -> bool:
    """Whether digests can be made and compared by it here."""
    return importlib.util.find_spec(BLAKE3) is not None


def quickest() -> str:
    """Return what digests are best made by."""
    return BLAKE3 if has_blake3() else SHA256


class Digest:
    """The digest of pieces in their order. To be entered."""

    def __init__(self, method: str = SHA256) -> None:
        self._hasher, self.length = _hasher(method), 0
        self._may_wait = method == SHA256
        self._pool: ThreadPoolExecutor | None = None
        self._waiting: deque[Future[None]] = deque()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def update(self, piece: bytes) -> None:
        """Take *piece* in."""
        self.length += len(piece)
        if self.length <= BESIDE or not self._may_wait:
            self._hasher.update(piece)
            return
        if self._pool is None:
            self._pool = ThreadPoolExecutor(1, "digest")
        while len(self._waiting) >= AHEAD:
            self._waiting.popleft().result()
        self._waiting.append(self._pool.submit(self._hasher.update, piece))

    def hexdigest(self) -> str:
        """Return the digest of all that was taken in."""
        while self._waiting:
            self._waiting.popleft().result()
        return str(self._hasher.hexdigest())


def _hasher(method: str) -> Any:  # noqa: ANN401 - of two packages, which have the same two methods
    if method == SHA256:
        return sha256()
    from blake3 import blake3

    return blake3()

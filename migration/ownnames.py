"""What containers that are made here are called in their engines."""

import re
import secrets

_OWN = re.compile("idleq-[0-9a-f]{16}", re.ASCII)


def own_name() -> str:
    """Return the name of a new container."""
    return f"idleq-{secrets.token_hex(8)}"


def is_own(name: str) -> bool:
    """Whether a container of that name was made here: labels come with images too, and anybody may make those."""
    return _OWN.fullmatch(name) is not None

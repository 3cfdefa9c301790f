"""Names of container images, by the grammar that registries and engines share: what is none never reaches an engine's command line."""

import re

LONGEST = 255
LONGEST_TAG = 128

TRANSPORTS = frozenset({
    "atomic", "containers-storage", "dir", "docker", "docker-archive", "docker-daemon", "oci", "oci-archive", "ostree", "sif", "tarball",
})  # fmt: skip
"""What `dir:x` would mean to podman: not the image dir with the tag x, but the folder x of the node."""

_HOST_PART = r"[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?"
_HOST = rf"(?:{_HOST_PART}(?:\.{_HOST_PART})*|\[[0-9a-fA-F:]+\])(?::[0-9]{{1,5}})?"
_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_REFERENCE = re.compile(
    rf"(?P<name>(?:{_HOST}/)?{_PART}(?:/{_PART})*)"
    rf"(?::(?P<tag>[A-Za-z0-9_][A-Za-z0-9_.-]{{0,{LONGEST_TAG - 1}}}))?"
    r"(?:@[a-z0-9]+(?:[.+_-][a-z0-9]+)*:[0-9a-f]{32,128})?",
    re.ASCII,
)


def parse_image(text: str) -> str:
    """Return *text*, which is the name of an image, like "python:3.11" or "registry.site/group/image@sha256:...".

    Raises:
        ValueError: it is none; no option, path or other text gets through.
    """
    if len(text) > LONGEST + LONGEST_TAG + 200:
        raise ValueError(f"{text[:40]!r}... is too long for the name of an image")
    found = _REFERENCE.fullmatch(text)
    if found is None:
        raise ValueError(
            f'{text!r} is no name of an image; names are like "python:3.11", "site/image" or "host:5000/site/image:tag", in small letters'
        )
    if len(found["name"]) > LONGEST:
        raise ValueError(f"{text[:40]!r}... is longer than {LONGEST} characters")
    if found["name"] in TRANSPORTS and found["tag"] is not None:
        raise ValueError(
            f"{text!r} says where an image comes from, not which it is; bring it to the nodes first: idleq image load"
        )
    return text

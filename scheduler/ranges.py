"""Arrays of tasks as people write them: "0-99", "0-98:2", "0-99%10"."""

import re

from idleq.scheduler.core.submission import ArrayRange

ARRAY_HELP = 'an array like "0-99", "0-98:2" (every second one) or "0-99%10" (ten at once)'

LARGEST_INDEX = 999_999_999
"""Task numbers stay short enough for file names and tables; how many tasks an array may have is the site's to say."""

_ARRAY = re.compile(r"([0-9]+)-([0-9]+)(?::([0-9]+))?(?:%([0-9]+))?", re.ASCII)


def parse_array(text: str) -> ArrayRange:
    """Return the tasks that *text* names.

    Raises:
        ValueError: *text* is no array; the message says what is.
    """
    found = _ARRAY.fullmatch(text.strip())
    if not found or len(text) > 4 * len(str(LARGEST_INDEX)):
        raise ValueError(f"{text!r} is not {ARRAY_HELP}")
    first, last = int(found[1]), int(found[2])
    step, limit = int(found[3] or 1), None if found[4] is None else int(found[4])
    if last < first:
        raise ValueError(f"the array {text!r} ends before it begins")
    if step < 1 or limit == 0:
        raise ValueError(f"the array {text!r} has a 0 after {':' if step < 1 else '%'}; it must be at least 1")
    if max(last, step, limit or 0) > LARGEST_INDEX:
        raise ValueError(f"the array {text!r} has a number over {LARGEST_INDEX}")
    return ArrayRange(first, last, step, limit)


def format_array(array: ArrayRange) -> str:
    """Return *array* as `parse_array` reads it."""
    step = "" if array.step == 1 else f":{array.step}"
    return f"{array.first}-{array.last}{step}" + ("" if array.limit is None else f"%{array.limit}")

"""What a command returns: one value, and how it reads to people and to scripts."""

from collections.abc import Sequence

from msgspec import Struct


class Table(Struct, frozen=True, kw_only=True):
    """Rows of texts under titles.

    Attributes:
        columns: the titles.
        rows: as many texts each as there are columns.
        right: the titles of columns of numbers.
        title: what the table is about, where a screen has several.
        expendable: the titles of columns that a narrow terminal goes without, least important first.
        elastic: the title of the column whose texts are cut where the terminal is still too narrow.
    """

    columns: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    right: frozenset[str] = frozenset()
    title: str = ""
    expendable: tuple[str, ...] = ()
    elastic: str = ""


class Result(Struct, frozen=True, kw_only=True):
    """What a command found or did.

    Attributes:
        value: for --json: dataclasses, dicts, lists, texts and numbers.
        text: for people: paragraphs and tables.
        ids: for --quiet: one a line.
        code: what the process ends with.
    """

    value: object
    text: tuple[str | Table, ...] = ()
    ids: tuple[str, ...] = ()
    code: int = 0

"""Makes a table as narrow as the terminal: first the columns that matter least go, then the longest texts are cut."""

from msgspec import structs

from idleq.cli.result import Table

LEAST = 12
"""Of the text that may be cut; less says nothing."""

ELLIPSIS = "…"


def fitted(table: Table, width: int, gap: int) -> Table:
    """Return *table* for lines of *width* characters, with *gap* of them between two columns.

    A table that names no column to be dropped or cut stays as it is.
    """
    spare = list(table.expendable)
    while spare and _width(table, gap) > width:
        table = _without(table, spare.pop(0))
    if table.elastic not in table.columns:
        return table
    place = table.columns.index(table.elastic)
    natural = _widths(table)[place]
    left = width - (_width(table, gap) - min(natural, LEAST))
    return structs.replace(
        table, rows=[(*row[:place], _cut(row[place], max(left, LEAST)), *row[place + 1 :]) for row in table.rows]
    )


def _width(table: Table, gap: int) -> int:
    """How wide the table is at the least, with its elastic column as narrow as that may be."""
    widths = [
        min(width, LEAST) if title == table.elastic else width
        for title, width in zip(table.columns, _widths(table), strict=True)
    ]
    return sum(widths) + gap * (len(widths) - 1)


def _widths(table: Table) -> list[int]:
    return [max(len(line[place]) for line in (table.columns, *table.rows)) for place in range(len(table.columns))]


def _without(table: Table, title: str) -> Table:
    place = table.columns.index(title)
    columns, *rows = ((*line[:place], *line[place + 1 :]) for line in (table.columns, *table.rows))
    return structs.replace(table, columns=columns, rows=rows)


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1].rstrip() + ELLIPSIS

"""The journal's tables, as the newest format has them.

Facts and commands share one count (*seq*), given by the writer: two writers would give the same number, and the
second one is refused.
"""

from sqlalchemy import BigInteger, Column, Index, Integer, MetaData, Text
from sqlmodel import Field, SQLModel


class JournalTable(SQLModel):
    """What all rows of a journal have in common: metadata of their own."""

    metadata = MetaData()


def _whole() -> BigInteger:
    """Return a 64-bit integer; SQLite's are that anyway, and only INTEGER makes a primary key its row id."""
    return BigInteger().with_variant(Integer(), "sqlite")


class FactRow(JournalTable, table=True):
    """One fact; its turn is whole or absent."""

    __tablename__ = "facts"
    __table_args__ = (Index("facts_by_kind", "kind", "seq"),)

    seq: int = Field(sa_column=Column(_whole(), primary_key=True, autoincrement=False))
    turn: int = Field(sa_column=Column(_whole(), nullable=False))
    at: int = Field(sa_column=Column(_whole(), nullable=False))
    kind: str = Field(sa_column=Column(Text, nullable=False))
    body: str = Field(sa_column=Column(Text, nullable=False))


class CommandRow(JournalTable, table=True):
    """One command, in the turn that decided it."""

    __tablename__ = "commands"

    seq: int = Field(sa_column=Column(_whole(), primary_key=True, autoincrement=False))
    turn: int = Field(sa_column=Column(_whole(), nullable=False))
    at: int = Field(sa_column=Column(_whole(), nullable=False))
    kind: str = Field(sa_column=Column(Text, nullable=False))
    body: str = Field(sa_column=Column(Text, nullable=False))


class MetaRow(JournalTable, table=True):
    """What is known of the journal itself: its format, and the epoch of who may write it."""

    __tablename__ = "meta"

    name: str = Field(sa_column=Column(Text, primary_key=True))
    value: str = Field(sa_column=Column(Text, nullable=False))

"""Tables as Parquet."""

import io
from collections.abc import Mapping, Sequence
from importlib.util import find_spec

from idleq.simulator.errors import ParquetMissing


def check_parquet() -> None:
    """Raise ParquetMissing if no Parquet can be written."""
    if find_spec("pyarrow") is None:
        raise ParquetMissing("Parquet needs pyarrow: pip install 'idleq[parquet]', or leave --parquet out")


def parquet_of(columns: Mapping[str, Sequence[object]], metadata: Mapping[str, str]) -> bytes:
    """Return *columns*, which are of one length, as Parquet; one that has values of several kinds is of texts."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    arrow = pa.table({name: _alike(values) for name, values in columns.items()})
    written = io.BytesIO()
    pq.write_table(arrow.replace_schema_metadata(metadata), written)
    return written.getvalue()


def _alike(values: Sequence[object]) -> Sequence[object]:
    kinds = {type(value) for value in values if value is not None}
    if kinds == {int, float}:
        return [None if value is None else float(value) for value in values]  # type: ignore[arg-type]  # just looked at
    return values if len(kinds) <= 1 else [None if value is None else str(value) for value in values]

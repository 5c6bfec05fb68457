"""Write and read the Parquet stores, whole or not at all."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from soco.errors import UserError
from soco.stores.files import whole_file


def write_table(path: str | Path, table: pa.Table) -> None:
    """Write a table as Parquet (zstd), whole or not at all."""
    with whole_file(path) as temporary:
        pq.write_table(table, temporary, compression="zstd")


def read_table(path: str | Path, schema: pa.Schema) -> pa.Table:
    """Read a Parquet store that must have the given columns.

    Raises:
        UserError: The file is missing or holds other columns.
    """
    try:
        table = pq.read_table(path)
    except FileNotFoundError:
        raise UserError(f"There is no store {path}; run the stage that makes it.") from None
    if not table.schema.equals(schema):
        raise UserError(f"{path} does not hold the columns {', '.join(schema.names)}; make it again.")
    return table

"""What a file's own statistics tell, so that it need not be read."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path


def is_before(file: Path, time_column: str, since: datetime | date | None) -> bool:
    """Whether the statistics of `file` say that all of its times are before `since`; False when they do not tell."""
    import pyarrow.parquet as pq

    try:
        footer = pq.read_metadata(file)
    except (OSError, ValueError):  # whoever reads it whole tells what is wrong with it
        return False
    for group in (footer.row_group(i) for i in range(footer.num_row_groups)):
        columns = map(group.column, range(group.num_columns))
        found = next((one for one in columns if one.path_in_schema.lower() == time_column.lower()), None)
        statistics = None if found is None else found.statistics
        if statistics is None or not statistics.has_min_max or not _before(statistics.max, since):
            return False
    return True


def _before(value: object, since: datetime | date | None) -> bool:
    if isinstance(value, datetime) and isinstance(since, datetime):
        return (value.tzinfo is None) == (since.tzinfo is None) and value < since
    if isinstance(value, datetime) or isinstance(since, datetime):
        return False
    return isinstance(value, date) and isinstance(since, date) and value < since

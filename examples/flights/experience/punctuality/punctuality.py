"""Punctuality by airline and month: a flight is punctual when it arrives at most 15 minutes late."""

import pyarrow as pa
import pyarrow.compute as pc


def punctuality(flights: pa.Table, carriers: pa.Table) -> pa.Table:
    """One row an airline and month; a cancelled flight has no arrival and is not punctual."""
    late = pc.fill_null(pc.less_equal(flights["arr_delay"], 15), False)
    counted = (
        flights.append_column("punctual", pc.cast(late, pa.int64()))
        .group_by(["carrier", "month"])
        .aggregate([("punctual", "count"), ("punctual", "sum")])
        .rename_columns(["carrier", "month", "flights", "punctual"])
    )
    share = pc.divide(pc.cast(counted["punctual"], pa.float64()), pc.cast(counted["flights"], pa.float64()))
    return (
        counted.append_column("share", share)
        .join(carriers, "carrier")
        .sort_by([("carrier", "ascending"), ("month", "ascending")])
    )

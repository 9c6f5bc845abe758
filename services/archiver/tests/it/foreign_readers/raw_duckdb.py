"""The records in DuckDB: counts by Hive partition, one game's events in order, bodies nobody can read."""
import json
import sys

import duckdb

archive, form = sys.argv[1:]
db = duckdb.connect()
if form == "parquet":
    source = f"read_parquet('{archive}/raw/*/*/*/*/*.parquet', hive_partitioning = true, hive_types_autocast = false)"
    value = "decode(value)"
else:
    source = f"read_json('{archive}/raw/*/*/*/*/*.jsonl.zst', hive_partitioning = true, hive_types_autocast = false)"
    value = "value"
# A file of an attempt that came to nothing may lie beside the others until it is swept: offsets tell.
db.execute(
    f"""
    CREATE VIEW records AS
    SELECT DISTINCT ON (topic, "partition", "offset") * REPLACE ({value} AS value) FROM {source}
    """
)
print(
    json.dumps(
        {
            "by_region_and_hour": db.execute(
                "SELECT region, dt, hour, count(*) FROM records GROUP BY ALL ORDER BY ALL"
            ).fetchall(),
            "of_g_1": db.execute(
                """
                SELECT "offset", event_type, CAST(value ->> '$.payload.moveNumber' AS INTEGER)
                FROM records WHERE game_id = 'g-1' ORDER BY "partition", "offset"
                """
            ).fetchall(),
            "unreadable": db.execute(
                'SELECT "offset", value FROM records WHERE event_type IS NULL ORDER BY "offset"'
            ).fetchall(),
        }
    )
)

"""The summaries in DuckDB: the newest revision of each day and region, by Hive partition."""
import json
import sys

import duckdb

archive = sys.argv[1]
db = duckdb.connect()
for kind in ("games", "players"):
    db.execute(
        f"""
        CREATE VIEW {kind} AS
        SELECT * FROM read_parquet('{archive}/summaries/{kind}/*/*/*.parquet', hive_partitioning = true)
        QUALIFY revision = max(revision) OVER (PARTITION BY region, dt)
        """
    )
by_region_and_day = db.execute(
    "SELECT region, CAST(dt AS VARCHAR), count(*) FROM games GROUP BY ALL ORDER BY ALL"
).fetchall()
of_bob = db.execute(
    "SELECT game_id, result FROM players WHERE player_id = 'bob' ORDER BY ended_at"
).fetchall()
moves = db.execute(
    "SELECT m.move FROM (SELECT unnest(moves) AS m FROM games WHERE game_id = 'g-1') ORDER BY m.ply"
).fetchall()
print(
    json.dumps(
        {
            "by_region_and_day": by_region_and_day,
            "of_bob": of_bob,
            "moves": [move for (move,) in moves],
        }
    )
)

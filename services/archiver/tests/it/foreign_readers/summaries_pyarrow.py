"""The summaries in pyarrow, from a directory or from S3."""
import collections
import json
import sys

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
from pyarrow import fs

if len(sys.argv) > 2:
    root, endpoint, access_key, secret_key = sys.argv[1:]
    files = fs.S3FileSystem(
        access_key=access_key,
        secret_key=secret_key,
        endpoint_override=endpoint.removeprefix("http://"),
        scheme="http",
        region="us-east-1",
    )
else:
    root, files = sys.argv[1], fs.LocalFileSystem()

partitioning = ds.partitioning(
    pa.schema([("region", pa.string()), ("dt", pa.string())]), flavor="hive"
)


def newest(kind, **wanted):
    """The rows of the highest revision of each region and day."""
    folder = f"{root}/summaries/{kind}"
    data = ds.dataset(folder, filesystem=files, format="parquet", partitioning=partitioning)
    revisions = data.to_table(columns=["region", "dt", "revision"])
    highest = revisions.group_by(["region", "dt"]).aggregate([("revision", "max")]).to_pylist()
    highest = {(row["region"], row["dt"]): row["revision_max"] for row in highest}
    rows = data.to_table(**wanted).to_pylist()
    return [row for row in rows if row["revision"] == highest[(row["region"], row["dt"])]]


games = newest("games")
counts = collections.Counter((row["region"], row["dt"]) for row in games)
of_bob = newest("players", filter=pc.field("player_id") == "bob")
of_bob.sort(key=lambda row: row["ended_at"])
(game,) = (row for row in games if row["game_id"] == "g-1")
print(
    json.dumps(
        {
            "by_region_and_day": sorted([*day, count] for day, count in counts.items()),
            "of_bob": [[row["game_id"], row["result"]] for row in of_bob],
            "moves": [move["move"] for move in game["moves"]],
        }
    )
)

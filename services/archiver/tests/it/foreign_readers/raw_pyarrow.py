"""The records in pyarrow, from a directory or from S3."""
import collections
import json
import sys

import pyarrow as pa
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

names = ["topic", "region", "dt", "hour"]
partitioning = ds.partitioning(pa.schema([(name, pa.string()) for name in names]), flavor="hive")
data = ds.dataset(f"{root}/raw", filesystem=files, format="parquet", partitioning=partitioning)
# A file of an attempt that came to nothing may lie beside the others until it is swept: offsets tell.
records = {
    (row["topic"], row["partition"], row["offset"]): row for row in data.to_table().to_pylist()
}
records = [row for _, row in sorted(records.items())]
counts = collections.Counter((row["region"], row["dt"], row["hour"]) for row in records)
print(
    json.dumps(
        {
            "by_region_and_hour": sorted([*folder, count] for folder, count in counts.items()),
            "of_g_1": [
                [row["offset"], row["event_type"], json.loads(row["value"])["payload"]["moveNumber"]]
                for row in records
                if row["game_id"] == "g-1"
            ],
            "unreadable": [
                [row["offset"], row["value"].decode()]
                for row in records
                if row["event_type"] is None
            ],
        }
    )
)

"""What the document's schemas can't say of a request, said to schemathesis.

A request that is right by its schemas may still be refused: a least above its most, a cursor or a game that the API never gave, a
word said twice, a player against themselves. Such a request is mended before it is sent. One that is meant to be wrong stays as it is.
"""

import schemathesis

SPANS = ["move_count", "duration_ms", "rating", "opponent_rating"]


@schemathesis.hook
def before_call(context, case, **kwargs):
    if case.meta is None or not case.meta.generation.mode.is_positive:
        return
    query = case.query or {}
    for given_by_the_api in ["cursor", "until_id"]:
        query.pop(given_by_the_api, None)
    for name in SPANS:
        least, most = query.get(f"{name}_min"), query.get(f"{name}_max")
        if least is not None and most is not None and int(least) > int(most):
            query[f"{name}_min"], query[f"{name}_max"] = most, least
    if "since" in query and "until" in query:
        query.pop("until")
    for name in ["group_by", "fields"]:
        if name in query:
            query[name] = ",".join(dict.fromkeys(query[name].split(",")))
    path = case.path_parameters or {}
    if "a" in path and path["a"] == path["b"]:
        path["b"] += "'s rival"

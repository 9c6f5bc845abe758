"""Reads two PGN files with python-chess, the original and an export of its games, and says how they differ."""

import sys

import chess.pgn


def games(path, name):
    found = {}
    with open(path, encoding="utf-8") as file:
        while (game := chess.pgn.read_game(file)) is not None:
            assert not game.errors, game.errors
            key = game.headers[name].rstrip("/").rsplit("/", 1)[-1]
            assert key not in found, f"{key} twice"
            found[key] = game
    return found


def told(game):
    tags = game.headers
    same = ["White", "Black", "Result", "WhiteElo", "BlackElo", "TimeControl", "ECO", "UTCDate", "UTCTime", "EndDate", "EndTime"]
    facts = {name: tags.get(name) for name in same}
    tournament = tags.get("Tournament")
    facts["Tournament"] = tournament and tournament.rstrip("/").rsplit("/", 1)[-1]
    facts["moves"] = [node.move.uci() for node in game.mainline()]
    facts["clocks"] = [node.clock() for node in game.mainline()]
    facts["end"] = game.end().board().fen()
    return facts


original, export = games(sys.argv[1], "Link"), games(sys.argv[2], "GameId")
wrong = [key for key in original.keys() ^ export.keys()]
for key in original.keys() & export.keys():
    one, other = told(original[key]), told(export[key])
    wrong += [f"{key} {fact}: {one[fact]} is {other[fact]}" for fact in one if one[fact] != other[fact]]
    roster = ["Event", "Site", "Date", "Round", "White", "Black", "Result"]
    wrong += [f"{key} has no {name}" for name in roster if name not in export[key].headers]
if wrong:
    sys.exit("\n".join(wrong[:20]))
print(f"{len(export)} games")

"""Uses the generated client against a running API: what its types promise is what comes.

Arguments: the API's URL, and a player who has several games.
"""

import sys

from game_history_client import Client
from game_history_client.api.games import count_games, get_game, get_games, get_moves, list_games
from game_history_client.api.operations import get_readiness
from game_history_client.api.players import (
    get_head_to_head,
    get_player,
    get_player_stats,
    list_player_games,
    list_player_opponents,
    list_player_ratings,
)
from game_history_client.models import GamesBatchRequest, Problem
from game_history_client.models.game_status import GameStatus
from game_history_client.types import UNSET


def walk(client, player):
    """Every game of a player, three a page."""
    games, cursor = [], UNSET
    while True:
        page = list_player_games.sync(player, client=client, limit=3, cursor=cursor)
        games.extend(page.data)
        if page.page.next_ is None:
            return games
        cursor = page.page.next_


def main(url, player):
    client = Client(base_url=url, raise_on_unexpected_status=True)
    assert get_readiness.sync(client=client).status == "ready"

    games = walk(client, player)
    ids = [game.game_id for game in games]
    assert len(set(ids)) == len(ids) > 3, ids
    assert all(a.ended_at >= b.ended_at for a, b in zip(games, games[1:]))

    game = get_game.sync(ids[0], client=client)
    assert game.status == GameStatus.FINISHED, game
    assert player in [seat.id for seat in game.players]
    assert game.ended_at == games[0].ended_at
    assert len(game.moves) == game.move_count == games[0].move_count
    position = get_moves.sync(ids[0], client=client, at=1)
    assert len(position.moves) == 1 and position.moves[0].move == game.moves[0].move

    batch = get_games.sync(client=client, body=GamesBatchRequest(ids=[ids[1], "no-such-game"]))
    assert [item.status for item in batch.data] == ["found", "missing"], batch

    summary = get_player.sync(player, client=client)
    assert summary.total.games == len(games)
    groups = get_player_stats.sync(player, client=client, group_by="mode,role")
    assert sum(group.games for group in groups.data) == len(games)
    opponent = list_player_opponents.sync(player, client=client, limit=1).data[0]
    both = get_head_to_head.sync(player, opponent.player_id, client=client)
    assert both.total.games == opponent.games
    assert list_player_ratings.sync(player, client=client, limit=2).data
    assert count_games.sync(client=client, since=games[-1].ended_at).count >= len(games)
    assert list_games.sync(client=client, limit=1, fields="game_id").data[0].game_id

    missing = get_game.sync("no-such-game", client=client)
    assert isinstance(missing, Problem) and missing.code == "game-not-found", missing
    print(f"{len(games)} games")


if __name__ == "__main__":
    main(*sys.argv[1:])

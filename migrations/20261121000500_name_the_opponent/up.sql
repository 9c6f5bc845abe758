-- Who a game was played against, by the index alone: docs/adr/0007-statistics-from-a-covering-index.md tells why, and what it costs.

-- The one opponent. An opening's code and an opponent share 800 bytes, so that the widest row that the contract allows still fits
-- into an index entry (2,704 bytes); where they are longer, or there are several opponents or none, it is null and the row tells.
ALTER TABLE player_games ADD COLUMN opponent text GENERATED ALWAYS AS (
    CASE WHEN cardinality(opponents) = 1 AND octet_length(opponents[1]) + coalesce(octet_length(opening_code), 0) <= 800
    THEN opponents[1] END
) STORED;

ALTER TABLE player_games DROP CONSTRAINT player_games_pkey;
ALTER TABLE player_games ADD PRIMARY KEY (player_id, ended_at, game_id) INCLUDE (
    started_at, role, result, opponent_rating, rating, rating_after, game, variant, mode, time_control, region, termination,
    opening_code, move_count, incomplete, opponent
);

-- The games of which the index does not name the opponent: none of chess.
CREATE INDEX player_games_of_several ON player_games (player_id, ended_at, game_id) WHERE opponent IS NULL;

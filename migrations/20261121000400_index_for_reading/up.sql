-- What the read API walks: docs/adr/0007-statistics-from-a-covering-index.md tells why, and what it costs.

-- A player's statistics are read from this index alone. The columns are those with a bounded length: the widest row that
-- the contract allows has to fit into an index entry (2,704 bytes), or ingestion would stop at it.
ALTER TABLE player_games DROP CONSTRAINT player_games_pkey;
ALTER TABLE player_games ADD PRIMARY KEY (player_id, ended_at, game_id) INCLUDE (
    started_at, role, result, opponent_rating, rating, rating_after, game, variant, mode, time_control, region, termination,
    opening_code, move_count, incomplete
);

-- The feed of all games, and of one tournament's.
CREATE INDEX games_by_end ON games (ended_at, game_id);
CREATE INDEX games_by_tournament ON games (tournament, ended_at, game_id) WHERE tournament IS NOT NULL;

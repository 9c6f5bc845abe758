DROP INDEX player_games_of_several;
ALTER TABLE player_games DROP CONSTRAINT player_games_pkey;
ALTER TABLE player_games ADD PRIMARY KEY (player_id, ended_at, game_id) INCLUDE (
    started_at, role, result, opponent_rating, rating, rating_after, game, variant, mode, time_control, region, termination,
    opening_code, move_count, incomplete
);
ALTER TABLE player_games DROP COLUMN opponent;

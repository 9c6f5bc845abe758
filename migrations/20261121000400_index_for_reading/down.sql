DROP INDEX games_by_tournament, games_by_end;
ALTER TABLE player_games DROP CONSTRAINT player_games_pkey;
ALTER TABLE player_games ADD PRIMARY KEY (player_id, ended_at, game_id);

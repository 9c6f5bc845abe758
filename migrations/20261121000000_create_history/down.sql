DROP TABLE retention_floor, dead_letters, player_games, games, game_directory, live_games, stream_checkpoints;

DROP INDEX player_games_by_time, games_by_time;
DROP TABLE player_games_below_floor, games_below_floor;

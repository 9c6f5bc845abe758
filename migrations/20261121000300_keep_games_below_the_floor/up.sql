-- Games that ended before the retention floor, as when a producer's clock is a year behind: the partition of their month is gone
-- and must not be made again. They wait here until the archiver has taken them into a new revision of their day's summaries.
CREATE TABLE games_below_floor (LIKE games INCLUDING DEFAULTS, PRIMARY KEY (game_id));
CREATE TABLE player_games_below_floor (LIKE player_games INCLUDING DEFAULTS, PRIMARY KEY (player_id, ended_at, game_id));

-- One day's games, and those written lately, without reading a whole month: rows are written about in the order of their end, so a
-- few bytes for every hundred pages do.
CREATE INDEX games_by_time ON games USING brin (ended_at, written_at);
CREATE INDEX player_games_by_time ON player_games USING brin (ended_at);

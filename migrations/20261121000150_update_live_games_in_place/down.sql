CREATE INDEX live_games_by_age ON live_games (snapshotted_at);

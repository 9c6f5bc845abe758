-- Every snapshot changes snapshotted_at. Without an index on it, PostgreSQL updates the row in place (HOT) instead of writing to
-- three indexes; the janitor, which alone asked by age, looks through the table once a minute.
DROP INDEX live_games_by_age;

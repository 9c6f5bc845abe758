-- The history and the checkpoints that make it exactly-once. docs/ARCHITECTURE.md explains the tables, docs/DELIVERY.md the
-- rules they are written by. Everything lives in one schema, so that a rebuild can fill another one and switch.

-- How far each pipeline has read each partition. A claim writes a new token; a commit advances next_offset only where token
-- and next_offset are the ones its owner knows. The counters say what became of every record below next_offset.
CREATE TABLE stream_checkpoints (
    pipeline        text   NOT NULL,
    topic           text   NOT NULL,
    partition       int    NOT NULL,
    topic_id        text   NOT NULL,
    cluster_id      text   NOT NULL,
    partition_count int    NOT NULL,
    token           uuid   NOT NULL,
    next_offset     bigint NOT NULL CHECK (next_offset >= 0),
    replay_from     bigint NOT NULL CHECK (replay_from >= 0 AND replay_from <= next_offset),
    records         bigint NOT NULL DEFAULT 0,
    applied         bigint NOT NULL DEFAULT 0,
    duplicates      bigint NOT NULL DEFAULT 0,
    late            bigint NOT NULL DEFAULT 0,
    undecodable     bigint NOT NULL DEFAULT 0,
    unsupported     bigint NOT NULL DEFAULT 0,
    key_mismatch    bigint NOT NULL DEFAULT 0,
    invalid         bigint NOT NULL DEFAULT 0,
    conflict        bigint NOT NULL DEFAULT 0,
    orphan          bigint NOT NULL DEFAULT 0,
    gap_overflow    bigint NOT NULL DEFAULT 0,
    split_key       bigint NOT NULL DEFAULT 0,
    claimed_at      timestamptz NOT NULL DEFAULT now(),
    committed_at    timestamptz,
    -- Set while the partition is stopped for an operator: log_gap, unreadable_run, topic_recreated, partition_count_changed.
    stopped_reason  text,
    stopped_detail  text,
    PRIMARY KEY (pipeline, topic, partition),
    -- Conservation: the database itself refuses a commit that loses count of a record.
    CONSTRAINT every_record_has_one_verdict CHECK (
        records = applied + duplicates + late + undecodable + unsupported + key_mismatch + invalid + conflict + orphan
                  + gap_overflow + split_key
    )
) WITH (fillfactor = 50);

-- Games in progress, as of their last snapshot. What happened since is read again from the log.
CREATE TABLE live_games (
    partition      int    NOT NULL,
    game_id        text   NOT NULL,
    as_of_offset   bigint NOT NULL,
    state          bytea  NOT NULL,
    snapshotted_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (partition, game_id)
) WITH (fillfactor = 70);
CREATE INDEX live_games_by_id ON live_games (game_id);
CREATE INDEX live_games_by_age ON live_games (snapshotted_at);

-- Every game that ever ended: the one place where a game_id is unique, and the way to its row without probing partitions.
CREATE TABLE game_directory (
    game_id    text   NOT NULL,
    ended_at   timestamptz NOT NULL,
    "end"      text   NOT NULL,
    topic_id   text   NOT NULL,
    partition  int    NOT NULL,
    end_offset bigint NOT NULL,
    revision   int    NOT NULL DEFAULT 1,
    PRIMARY KEY (game_id)
) PARTITION BY HASH (game_id);
DO $$
BEGIN
    FOR i IN 0..15 LOOP
        EXECUTE format(
            'CREATE TABLE game_directory_%s PARTITION OF game_directory FOR VALUES WITH (MODULUS 16, REMAINDER %s)',
            lpad(i::text, 2, '0'), i);
    END LOOP;
END $$;

-- Finished games. Partitions are made by the ingestor, ahead of time and on demand; there is no DEFAULT one on purpose.
CREATE TABLE games (
    game_id        text NOT NULL,
    ended_at       timestamptz NOT NULL,
    started_at     timestamptz NOT NULL,
    game           text NOT NULL,
    variant        text NOT NULL,
    mode           text NOT NULL,
    time_control   text,
    region         text,
    platform       text,
    tournament     text,
    start_position text,
    result         text NOT NULL,           -- win, draw or none
    winner         text,                    -- a player's id when the result is win
    termination    text NOT NULL,
    opening_code   text,
    opening_name   text,
    move_count     int  NOT NULL,
    incomplete     boolean NOT NULL,
    players        jsonb NOT NULL,          -- [{"id","role","rating","ratingAfter","result"}] in seat order
    moves          bytea NOT NULL,          -- domain::PackedMoves, times relative to started_at
    written_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (game_id, ended_at)
) PARTITION BY RANGE (ended_at);

-- One row for each player of a finished game: a player's history without a join.
CREATE TABLE player_games (
    player_id       text NOT NULL,
    ended_at        timestamptz NOT NULL,
    game_id         text NOT NULL,
    started_at      timestamptz NOT NULL,
    role            text NOT NULL,
    result          text NOT NULL,          -- win, loss, draw or none
    opponents       text[] NOT NULL,        -- the other players' ids in seat order
    opponent_rating int,                    -- before the game, where there is exactly one opponent
    rating          int,
    rating_after    int,
    game            text NOT NULL,
    variant         text NOT NULL,
    mode            text NOT NULL,
    time_control    text,
    region          text,
    tournament      text,
    termination     text NOT NULL,
    opening_code    text,
    opening_name    text,
    move_count      int  NOT NULL,
    incomplete      boolean NOT NULL,
    PRIMARY KEY (player_id, ended_at, game_id)
) PARTITION BY RANGE (ended_at);

-- Records set aside, whole, with the reason.
CREATE TABLE dead_letters (
    pipeline       text   NOT NULL,
    topic_id       text   NOT NULL,
    partition      int    NOT NULL,
    "offset"       bigint NOT NULL,
    topic          text   NOT NULL,
    reason         text   NOT NULL,
    detail         text   NOT NULL,
    game_id        text,
    key            bytea,
    raw            bytea,
    headers        jsonb  NOT NULL,          -- [["name","value in base64" or null], …] in record order
    recorded_at    timestamptz,              -- the record's own timestamp
    written_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (pipeline, topic_id, partition, "offset")
);
CREATE INDEX dead_letters_by_reason ON dead_letters (reason, written_at DESC);
CREATE INDEX dead_letters_by_game ON dead_letters (game_id) WHERE game_id IS NOT NULL;

-- What retention has removed stays removed: no partition of finished games is made below this time.
CREATE TABLE retention_floor (
    only_row  boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    ended_at  timestamptz NOT NULL
);

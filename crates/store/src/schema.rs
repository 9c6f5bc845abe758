//! The tables as diesel sees them. Held against the migrated database by a test (`tests/it/schema.rs`).

diesel::table! {
    stream_checkpoints (pipeline, topic, partition) {
        pipeline -> Text,
        topic -> Text,
        partition -> Int4,
        topic_id -> Text,
        cluster_id -> Text,
        partition_count -> Int4,
        token -> Uuid,
        next_offset -> Int8,
        replay_from -> Int8,
        records -> Int8,
        applied -> Int8,
        duplicates -> Int8,
        late -> Int8,
        undecodable -> Int8,
        unsupported -> Int8,
        key_mismatch -> Int8,
        invalid -> Int8,
        conflict -> Int8,
        orphan -> Int8,
        gap_overflow -> Int8,
        split_key -> Int8,
        claimed_at -> Timestamptz,
        committed_at -> Nullable<Timestamptz>,
        stopped_reason -> Nullable<Text>,
        stopped_detail -> Nullable<Text>,
    }
}

diesel::table! {
    live_games (partition, game_id) {
        partition -> Int4,
        game_id -> Text,
        as_of_offset -> Int8,
        state -> Bytea,
        snapshotted_at -> Timestamptz,
    }
}

diesel::table! {
    game_directory (game_id) {
        game_id -> Text,
        ended_at -> Timestamptz,
        end -> Text,
        topic_id -> Text,
        partition -> Int4,
        end_offset -> Int8,
        revision -> Int4,
    }
}

diesel::table! {
    games (game_id, ended_at) {
        game_id -> Text,
        ended_at -> Timestamptz,
        started_at -> Timestamptz,
        game -> Text,
        variant -> Text,
        mode -> Text,
        time_control -> Nullable<Text>,
        region -> Nullable<Text>,
        platform -> Nullable<Text>,
        tournament -> Nullable<Text>,
        start_position -> Nullable<Text>,
        result -> Text,
        winner -> Nullable<Text>,
        termination -> Text,
        opening_code -> Nullable<Text>,
        opening_name -> Nullable<Text>,
        move_count -> Int4,
        incomplete -> Bool,
        players -> Jsonb,
        moves -> Bytea,
        written_at -> Timestamptz,
    }
}

diesel::table! {
    player_games (player_id, ended_at, game_id) {
        player_id -> Text,
        ended_at -> Timestamptz,
        game_id -> Text,
        started_at -> Timestamptz,
        role -> Text,
        result -> Text,
        opponents -> Array<Text>,
        opponent_rating -> Nullable<Int4>,
        rating -> Nullable<Int4>,
        rating_after -> Nullable<Int4>,
        game -> Text,
        variant -> Text,
        mode -> Text,
        time_control -> Nullable<Text>,
        region -> Nullable<Text>,
        tournament -> Nullable<Text>,
        termination -> Text,
        opening_code -> Nullable<Text>,
        opening_name -> Nullable<Text>,
        move_count -> Int4,
        incomplete -> Bool,
        opponent -> Nullable<Text>,
    }
}

diesel::table! {
    games_below_floor (game_id) {
        game_id -> Text,
        ended_at -> Timestamptz,
        started_at -> Timestamptz,
        game -> Text,
        variant -> Text,
        mode -> Text,
        time_control -> Nullable<Text>,
        region -> Nullable<Text>,
        platform -> Nullable<Text>,
        tournament -> Nullable<Text>,
        start_position -> Nullable<Text>,
        result -> Text,
        winner -> Nullable<Text>,
        termination -> Text,
        opening_code -> Nullable<Text>,
        opening_name -> Nullable<Text>,
        move_count -> Int4,
        incomplete -> Bool,
        players -> Jsonb,
        moves -> Bytea,
        written_at -> Timestamptz,
    }
}

diesel::table! {
    player_games_below_floor (player_id, ended_at, game_id) {
        player_id -> Text,
        ended_at -> Timestamptz,
        game_id -> Text,
        started_at -> Timestamptz,
        role -> Text,
        result -> Text,
        opponents -> Array<Text>,
        opponent_rating -> Nullable<Int4>,
        rating -> Nullable<Int4>,
        rating_after -> Nullable<Int4>,
        game -> Text,
        variant -> Text,
        mode -> Text,
        time_control -> Nullable<Text>,
        region -> Nullable<Text>,
        tournament -> Nullable<Text>,
        termination -> Text,
        opening_code -> Nullable<Text>,
        opening_name -> Nullable<Text>,
        move_count -> Int4,
        incomplete -> Bool,
    }
}

diesel::table! {
    dead_letters (pipeline, topic_id, partition, offset) {
        pipeline -> Text,
        topic_id -> Text,
        partition -> Int4,
        offset -> Int8,
        topic -> Text,
        reason -> Text,
        detail -> Text,
        game_id -> Nullable<Text>,
        key -> Nullable<Bytea>,
        raw -> Nullable<Bytea>,
        headers -> Jsonb,
        recorded_at -> Nullable<Timestamptz>,
        written_at -> Timestamptz,
    }
}

diesel::table! {
    accepted_gaps (pipeline, topic_id, partition, accepted_at) {
        pipeline -> Text,
        topic -> Text,
        topic_id -> Text,
        partition -> Int4,
        from_offset -> Int8,
        to_offset -> Int8,
        replay_from -> Int8,
        reason -> Text,
        accepted_by -> Text,
        accepted_at -> Timestamptz,
    }
}

diesel::table! {
    retention_floor (only_row) {
        only_row -> Bool,
        ended_at -> Timestamptz,
    }
}

diesel::allow_tables_to_appear_in_same_query!(game_directory, games, live_games);

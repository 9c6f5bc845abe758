-- Offsets that Kafka removed before they were read, accepted as lost by an operator. Never deleted.
CREATE TABLE accepted_gaps (
    pipeline    text   NOT NULL,
    topic       text   NOT NULL,
    topic_id    text   NOT NULL,
    partition   int    NOT NULL,
    from_offset bigint NOT NULL,             -- next_offset before
    to_offset   bigint NOT NULL,             -- next_offset after: [from_offset, to_offset) was never judged
    replay_from bigint NOT NULL,             -- replay_from before: live games may miss events from here to to_offset
    reason      text   NOT NULL,
    accepted_by text   NOT NULL,
    accepted_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (pipeline, topic_id, partition, accepted_at)
);

-- Text messages, where sms.record is on: one row a job, written before a provider is asked.
CREATE TABLE IF NOT EXISTS millrace_notifications (
    uuid          VARCHAR(200) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'of the job; the provider''s idempotency key',
    channel       VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'sms, whatsapp',
    receiver      VARCHAR(24) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'masked: +4917*****67',
    receiver_hash CHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'HMAC-SHA256 of the number under sms.secret, in hexadecimal',
    sender        VARCHAR(24) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    provider      VARCHAR(100) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'asked last, as the configuration calls it',
    state         ENUM('sending', 'ok', 'refused', 'unknown', 'waiting') NOT NULL
                  COMMENT 'sending: asked, no answer yet; refused: for good; unknown: asked, and nobody knows; waiting: nothing was sent, it will be tried again',
    provider_id   VARCHAR(128) NULL COMMENT 'the provider''s name of the message',
    code          VARCHAR(40) NULL COMMENT 'why it was not taken, in the provider''s code',
    message       VARCHAR(1000) NULL COMMENT 'the same for people',
    segments      SMALLINT UNSIGNED NOT NULL COMMENT 'as billed',
    asked         INT UNSIGNED NOT NULL DEFAULT 1 COMMENT 'how often a provider was asked',
    created_at    DATETIME(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
    asked_at      DATETIME(3) NOT NULL COMMENT 'the latest time',
    ended_at      DATETIME(3) NULL COMMENT 'when the answer was written down; NULL until then',
    PRIMARY KEY (uuid),
    KEY receiver (receiver_hash, asked_at),
    KEY sender (sender, asked_at),
    KEY provider_id (provider_id),
    KEY state (state, asked_at)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4;

-- The record of a report says what kind of file it made, what that file's bytes sum up to, and how long it took; and a
-- report can be cancelled. Each change looks first whether it has been made, and is DO 0 then.
SET @change = IF((SELECT COUNT(*) FROM information_schema.columns WHERE table_schema = DATABASE()
    AND table_name = 'report_runs' AND column_name = 'sha256') = 0,
    'ALTER TABLE report_runs
        ADD COLUMN format VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NULL COMMENT ''csv, xlsx, jsonl.zst, ...; NULL until done'' AFTER place,
        ADD COLUMN sha256 CHAR(64) CHARACTER SET ascii COLLATE ascii_bin NULL COMMENT ''of the file; NULL until done'' AFTER format,
        ADD COLUMN elapsed_ms BIGINT UNSIGNED NULL COMMENT ''of the latest attempt; NULL while it runs'' AFTER started_at', 'DO 0');
PREPARE change_it FROM @change;
EXECUTE change_it;
DEALLOCATE PREPARE change_it;

ALTER TABLE report_runs
    MODIFY COLUMN state ENUM('running', 'done', 'failed', 'cancelled') NOT NULL,
    MODIFY COLUMN reason VARCHAR(1000) NULL COMMENT 'why the latest attempt failed or was stopped';

-- Invoices get a date, a day when they are due, notes, and their number as it was printed; their numbers may begin anew each year.
--
-- MySQL knows no ADD COLUMN IF NOT EXISTS: each change looks first whether it has been made, and is DO 0 then. Existing invoices keep
-- their numbers: year 0 is the count that goes on from year to year.

-- The years need a key of two columns, on both sides of the foreign key: it is taken away here and comes back at the end.
SET @change = IF((SELECT COUNT(*) FROM information_schema.key_column_usage WHERE table_schema = DATABASE()
    AND table_name = 'billing_invoices' AND constraint_name = 'billing_invoices_series') = 1,
    'ALTER TABLE billing_invoices DROP FOREIGN KEY billing_invoices_series', 'DO 0');
PREPARE change_it FROM @change;
EXECUTE change_it;
DEALLOCATE PREPARE change_it;

SET @change = IF((SELECT COUNT(*) FROM information_schema.columns WHERE table_schema = DATABASE()
    AND table_name = 'billing_series' AND column_name = 'year') = 0,
    'ALTER TABLE billing_series
        ADD COLUMN year SMALLINT UNSIGNED NOT NULL DEFAULT 0 COMMENT ''whose numbers these are; 0: of no year, they go on'' AFTER name,
        DROP PRIMARY KEY, ADD PRIMARY KEY (name, year)', 'DO 0');
PREPARE change_it FROM @change;
EXECUTE change_it;
DEALLOCATE PREPARE change_it;

SET @change = IF((SELECT COUNT(*) FROM information_schema.columns WHERE table_schema = DATABASE()
    AND table_name = 'billing_invoices' AND column_name = 'year') = 0,
    'ALTER TABLE billing_invoices
        ADD COLUMN year SMALLINT UNSIGNED NOT NULL DEFAULT 0 COMMENT ''whose numbers it counts in; 0: of no year'' AFTER series,
        ADD COLUMN printed VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NULL COMMENT ''the number as people write it'' AFTER number,
        ADD COLUMN issued_on DATE NULL COMMENT ''its date, in billing.timezone'' AFTER total_minor,
        ADD COLUMN due_on DATE NULL COMMENT ''NULL: it does not say'' AFTER issued_on,
        ADD COLUMN notes TEXT NULL COMMENT ''printed below the lines'' AFTER due_on,
        DROP KEY number, ADD UNIQUE KEY number (series, year, number)', 'DO 0');
PREPARE change_it FROM @change;
EXECUTE change_it;
DEALLOCATE PREPARE change_it;

-- What was printed until now.
UPDATE billing_invoices SET printed = CONCAT(series, '-', IF(number < 1000000, LPAD(number, 6, '0'), number))
    WHERE printed IS NULL;
UPDATE billing_invoices SET issued_on = DATE(created_at) WHERE issued_on IS NULL;
ALTER TABLE billing_invoices
    MODIFY COLUMN printed VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'the number as people write it',
    MODIFY COLUMN issued_on DATE NOT NULL COMMENT 'its date, in billing.timezone';

SET @change = IF((SELECT COUNT(*) FROM information_schema.statistics WHERE table_schema = DATABASE()
    AND table_name = 'billing_invoices' AND index_name = 'printed') = 0,
    'ALTER TABLE billing_invoices ADD UNIQUE KEY printed (printed)', 'DO 0');
PREPARE change_it FROM @change;
EXECUTE change_it;
DEALLOCATE PREPARE change_it;

SET @change = IF((SELECT COUNT(*) FROM information_schema.key_column_usage WHERE table_schema = DATABASE()
    AND table_name = 'billing_invoices' AND constraint_name = 'billing_invoices_series') = 0,
    'ALTER TABLE billing_invoices ADD CONSTRAINT billing_invoices_series
        FOREIGN KEY (series, year) REFERENCES billing_series (name, year)', 'DO 0');
PREPARE change_it FROM @change;
EXECUTE change_it;
DEALLOCATE PREPARE change_it;

-- The server itself refuses an invoice and a line that do not add up; that the ledger's rows sum to 0 no CHECK can say, since it is of several rows.
SET @change = IF((SELECT COUNT(*) FROM information_schema.table_constraints WHERE table_schema = DATABASE()
    AND table_name = 'billing_invoices' AND constraint_name = 'billing_invoices_sum') = 0,
    'ALTER TABLE billing_invoices ADD CONSTRAINT billing_invoices_sum CHECK (total_minor = net_minor + tax_minor)', 'DO 0');
PREPARE change_it FROM @change;
EXECUTE change_it;
DEALLOCATE PREPARE change_it;

SET @change = IF((SELECT COUNT(*) FROM information_schema.table_constraints WHERE table_schema = DATABASE()
    AND table_name = 'billing_invoice_lines' AND constraint_name = 'billing_invoice_lines_net') = 0,
    'ALTER TABLE billing_invoice_lines ADD CONSTRAINT billing_invoice_lines_net CHECK (net_minor = quantity * unit_minor)', 'DO 0');
PREPARE change_it FROM @change;
EXECUTE change_it;
DEALLOCATE PREPARE change_it;

-- What people decided about charges that nobody knew the end of (workerctl billing resolve). Rows are only ever added.
CREATE TABLE IF NOT EXISTS billing_decisions (
    id          BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
    kind        VARCHAR(20) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'charge, ...',
    uuid        VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'of its job',
    decision    ENUM('ok', 'refused') NOT NULL,
    provider_id VARCHAR(255) NULL COMMENT 'what the person found at the provider',
    reason      VARCHAR(500) NULL COMMENT 'why it had been held',
    decided_by  VARCHAR(255) NOT NULL COMMENT 'user@host',
    decided_at  DATETIME(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
    PRIMARY KEY (id),
    KEY uuid (uuid)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4;

-- Who tells a customer: of several jobs for the same period or step, the one that invoiced it or moved it, whatever becomes of the others.
SET @change = IF((SELECT COUNT(*) FROM information_schema.columns WHERE table_schema = DATABASE()
    AND table_name = 'billing_subscription_periods' AND column_name = 'moved_by') = 0,
    'ALTER TABLE billing_subscription_periods
        ADD COLUMN invoiced_by VARCHAR(100) CHARACTER SET ascii COLLATE ascii_bin NULL
            COMMENT ''uuid of the job that did: it pushes the mail that brings the invoice'' AFTER first_refused_at,
        ADD COLUMN moved_by VARCHAR(100) CHARACTER SET ascii COLLATE ascii_bin NULL
            COMMENT ''uuid of the job that made its latest step: it pushes the mail about it'' AFTER invoiced_by', 'DO 0');
PREPARE change_it FROM @change;
EXECUTE change_it;
DEALLOCATE PREPARE change_it;

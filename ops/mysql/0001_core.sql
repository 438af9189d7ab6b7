-- What millrace keeps in MySQL: the inbox that makes effects happen once, billing, and the reports' history.
--
-- Every statement may run again on what an earlier run has left (MySQL commits each DDL statement by itself, so a run
-- that was cut short is simply repeated). Instants are UTC: the product's sessions run at time_zone '+00:00'. Money is
-- whole minor units (cents) with an ISO 4217 code. Names (uuid, customer, series) are compared byte by byte: "A" is not "a".

-- One row a job whose effect has happened, written in the transaction of the effect: a job that comes twice finds
-- its row, answers from it and does nothing. May be pruned once no job so old can come back.
CREATE TABLE IF NOT EXISTS millrace_inbox (
    uuid       VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'the job''s own name, given by its producer',
    job        VARCHAR(200) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'billing.invoice, ...',
    result     LONGTEXT NOT NULL COMMENT 'JSON: what a repeat answers',
    created_at DATETIME(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
    PRIMARY KEY (uuid),
    KEY created_at (created_at)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4;

-- Whom invoices go to. Filled by the shop, read by billing.invoice.
CREATE TABLE IF NOT EXISTS billing_customers (
    id      VARCHAR(64) COLLATE utf8mb4_bin NOT NULL COMMENT 'the shop''s own',
    name    VARCHAR(200) NOT NULL,
    email   VARCHAR(320) NULL,
    address TEXT NULL COMMENT 'as printed; lines parted by line ends',
    PRIMARY KEY (id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4;

-- The last number given in each series. Its row is locked by the transaction that takes the next, so that numbers
-- have neither gaps nor doubles.
CREATE TABLE IF NOT EXISTS billing_series (
    name        VARCHAR(32) COLLATE utf8mb4_bin NOT NULL COMMENT 'INV, ...',
    last_number BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (name)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4;

-- Invoices never change, but for the two columns that say where the PDF went.
CREATE TABLE IF NOT EXISTS billing_invoices (
    uuid        VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'of the job that made it',
    series      VARCHAR(32) COLLATE utf8mb4_bin NOT NULL,
    number      BIGINT NOT NULL COMMENT 'within the series, from 1, without gaps',
    customer    VARCHAR(64) COLLATE utf8mb4_bin NOT NULL,
    currency    CHAR(3) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'ISO 4217',
    net_minor   BIGINT NOT NULL COMMENT 'sum of the lines before tax',
    tax_minor   BIGINT NOT NULL COMMENT 'sum of the lines'' taxes',
    total_minor BIGINT NOT NULL COMMENT 'net_minor + tax_minor',
    pdf_key     VARCHAR(255) CHARACTER SET ascii COLLATE ascii_bin NULL COMMENT 'its place under storage.path',
    pdf_at      DATETIME(3) NULL COMMENT 'NULL: not drawn yet',
    created_at  DATETIME(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
    PRIMARY KEY (uuid),
    UNIQUE KEY number (series, number),
    KEY customer (customer, created_at),
    CONSTRAINT billing_invoices_customer FOREIGN KEY (customer) REFERENCES billing_customers (id),
    CONSTRAINT billing_invoices_series FOREIGN KEY (series) REFERENCES billing_series (name)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4;

CREATE TABLE IF NOT EXISTS billing_invoice_lines (
    invoice    VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'billing_invoices.uuid',
    line_no    INT UNSIGNED NOT NULL COMMENT 'from 1, as printed',
    text       TEXT NOT NULL,
    quantity   BIGINT NOT NULL,
    unit_minor BIGINT NOT NULL COMMENT 'price of one, before tax',
    tax_bp     INT UNSIGNED NOT NULL COMMENT 'tax rate in basis points: 1900 is 19 %',
    net_minor  BIGINT NOT NULL COMMENT 'quantity * unit_minor',
    tax_minor  BIGINT NOT NULL COMMENT 'of this line, rounded half to even',
    PRIMARY KEY (invoice, line_no),
    CONSTRAINT billing_invoice_lines_invoice FOREIGN KEY (invoice) REFERENCES billing_invoices (uuid)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4;

-- Double entry: the rows of one uuid sum to 0 in each currency. Rows are only ever added.
CREATE TABLE IF NOT EXISTS billing_ledger (
    id           BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
    uuid         VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'of the job that booked it',
    account      VARCHAR(100) COLLATE utf8mb4_bin NOT NULL COMMENT 'receivable:<customer>, revenue, tax, cash, ...',
    currency     CHAR(3) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'ISO 4217',
    amount_minor BIGINT NOT NULL COMMENT 'debit above 0, credit below',
    created_at   DATETIME(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
    PRIMARY KEY (id),
    KEY uuid (uuid),
    KEY account (account, currency, created_at)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4;

-- One row a charge, written before the payment provider is first asked, so that no charge is ever unknown to us.
CREATE TABLE IF NOT EXISTS billing_charges (
    uuid          VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'of the job; the provider''s idempotency key',
    invoice       VARCHAR(100) COLLATE utf8mb4_bin NOT NULL COMMENT 'what is paid: the invoice''s printed number or its uuid',
    amount_minor  BIGINT NOT NULL,
    currency      CHAR(3) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'ISO 4217',
    state         ENUM('sending', 'ok', 'refused', 'unknown', 'held') NOT NULL
                  COMMENT 'sending: asked, no answer yet; unknown: asked, and nobody knows; held: unknown for so long that the provider may have forgotten the key: a person decides',
    provider_id   VARCHAR(255) NULL COMMENT 'the provider''s name of the charge',
    code          VARCHAR(100) NULL COMMENT 'why it was refused, in the provider''s code',
    message       VARCHAR(500) NULL COMMENT 'the same for people',
    first_sent_at DATETIME(3) NULL COMMENT 'the key''s life at the provider counts from here; NULL: never sent',
    updated_at    DATETIME(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3) ON UPDATE CURRENT_TIMESTAMP(3),
    PRIMARY KEY (uuid),
    KEY invoice (invoice),
    KEY state (state, updated_at)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4;

-- What report.generate made, is making, or failed to make.
CREATE TABLE IF NOT EXISTS report_runs (
    uuid       VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'of the job',
    report     VARCHAR(200) COLLATE utf8mb4_bin NOT NULL COMMENT 'name of its definition',
    params     LONGTEXT NOT NULL COMMENT 'JSON, as the job gave them',
    state      ENUM('running', 'done', 'failed') NOT NULL,
    row_count  BIGINT UNSIGNED NULL COMMENT 'NULL until done',
    bytes      BIGINT UNSIGNED NULL COMMENT 'of the file; NULL until done',
    place      VARCHAR(500) NULL COMMENT 'of the file under storage.path; NULL until done',
    reason     VARCHAR(1000) NULL COMMENT 'why the latest attempt failed',
    started_at DATETIME(3) NOT NULL COMMENT 'of the latest attempt',
    ended_at   DATETIME(3) NULL COMMENT 'NULL while it runs',
    PRIMARY KEY (uuid),
    KEY report (report, started_at)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4;

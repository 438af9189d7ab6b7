-- Subscriptions, their periods, refunds, and what credit notes are of.

-- What customers pay again and again. The shop fills and changes the rows; billing.renew moves the period, the state and next_action_at.
-- Whoever changes one that billing.renew should look at sets next_action_at to its default.
CREATE TABLE IF NOT EXISTS billing_subscriptions (
    id                   VARCHAR(40) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'the shop''s own: letters, digits, - _ .',
    customer             VARCHAR(64) COLLATE utf8mb4_bin NOT NULL,
    currency             CHAR(3) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'ISO 4217',
    series               VARCHAR(32) COLLATE utf8mb4_bin NULL COMMENT 'of its invoices; NULL: billing.series',
    source               VARCHAR(255) NULL COMMENT 'the payment provider''s name of the card or account; NULL: invoices are not charged',
    period_unit          ENUM('month', 'year') NOT NULL,
    period_count         SMALLINT UNSIGNED NOT NULL DEFAULT 1 COMMENT 'of months or years in a period, 1 to 120',
    anchor               DATE NOT NULL COMMENT 'periods begin on this day of the month or year, or on the last one where that is shorter',
    period_start         DATE NULL COMMENT 'of the period invoiced last; NULL: none yet',
    period_end           DATE NOT NULL COMMENT 'the day, in billing.timezone, on which the next period begins and is invoiced; of a trial, its end',
    state                ENUM('trialing', 'active', 'past_due', 'suspended', 'ended') NOT NULL DEFAULT 'trialing'
                         COMMENT 'trialing: not invoiced yet; past_due: a charge was refused and is tried again; suspended: refused to the last',
    cancel_at_period_end BOOLEAN NOT NULL DEFAULT FALSE COMMENT 'at period_end it ends instead of being invoiced',
    next_action_at       DATETIME(3) NULL DEFAULT '1970-01-01 00:00:00' COMMENT 'when billing.renew looks at it next; NULL: never',
    created_at           DATETIME(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
    PRIMARY KEY (id),
    KEY customer (customer),
    KEY next_action_at (next_action_at),
    CONSTRAINT billing_subscriptions_customer FOREIGN KEY (customer) REFERENCES billing_customers (id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4;

-- The lines of each invoice of a subscription, as they are at that time.
CREATE TABLE IF NOT EXISTS billing_subscription_items (
    subscription VARCHAR(40) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    line_no      INT UNSIGNED NOT NULL COMMENT 'from 1, as printed',
    text         TEXT NOT NULL COMMENT 'the period is printed behind it',
    quantity     BIGINT NOT NULL DEFAULT 1,
    unit_minor   BIGINT NOT NULL COMMENT 'price of one for a period, before tax; below 0 for a discount',
    tax_bp       INT UNSIGNED NOT NULL DEFAULT 0 COMMENT 'tax rate in basis points: 1900 is 19 %',
    PRIMARY KEY (subscription, line_no),
    CONSTRAINT billing_subscription_items_subscription FOREIGN KEY (subscription) REFERENCES billing_subscriptions (id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4;

-- One row a period that was invoiced, made in the transaction of its invoice.
CREATE TABLE IF NOT EXISTS billing_subscription_periods (
    subscription     VARCHAR(40) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    period_start     DATE NOT NULL,
    period_end       DATE NOT NULL COMMENT 'the day after its last',
    invoice          VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'billing_invoices.uuid',
    state            ENUM('billed', 'dunned', 'paid', 'unpaid') NOT NULL
                     COMMENT 'billed: no charge was refused yet; dunned: one was, the next one follows; unpaid: refused to the last',
    step             TINYINT UNSIGNED NOT NULL DEFAULT 0 COMMENT '0: the charge on the first day; k: that on the k-th day of billing.dunning',
    source           VARCHAR(255) NULL COMMENT 'what the charge of this step is asked from, also where the subscription''s has changed since',
    first_refused_at DATETIME(3) NULL COMMENT 'the days of billing.dunning count from here',
    next_action_at   DATETIME(3) NULL COMMENT 'when billing.renew looks whether its charge is still to be made; NULL: it is not',
    created_at       DATETIME(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
    PRIMARY KEY (subscription, period_start),
    UNIQUE KEY invoice (invoice),
    KEY next_action_at (next_action_at),
    CONSTRAINT billing_subscription_periods_subscription FOREIGN KEY (subscription) REFERENCES billing_subscriptions (id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4;

-- One row a refund, written before the payment provider is first asked, as in billing_charges.
CREATE TABLE IF NOT EXISTS billing_refunds (
    uuid          VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'of the job; the provider''s idempotency key',
    charge        VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'billing_charges.uuid',
    invoice       VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'billing_invoices.uuid, that was paid',
    credit        VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NULL COMMENT 'the credit note that it pays out, billing_credits.uuid',
    amount_minor  BIGINT NOT NULL,
    currency      CHAR(3) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'ISO 4217',
    reason        VARCHAR(500) NOT NULL,
    state         ENUM('sending', 'ok', 'refused', 'unknown', 'held') NOT NULL COMMENT 'as in billing_charges',
    provider_id   VARCHAR(255) NULL COMMENT 'the provider''s name of the refund',
    code          VARCHAR(100) NULL COMMENT 'why it was refused, in the provider''s code',
    message       VARCHAR(500) NULL COMMENT 'the same for people',
    first_sent_at DATETIME(3) NULL COMMENT 'the key''s life at the provider counts from here',
    updated_at    DATETIME(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3) ON UPDATE CURRENT_TIMESTAMP(3),
    PRIMARY KEY (uuid),
    KEY charge (charge),
    KEY invoice (invoice),
    KEY credit (credit),
    KEY state (state, updated_at),
    CONSTRAINT billing_refunds_charge FOREIGN KEY (charge) REFERENCES billing_charges (uuid)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4;

-- Which of billing_invoices are credit notes: an invoice of a series of theirs, whose lines and sums are below 0.
CREATE TABLE IF NOT EXISTS billing_credits (
    uuid    VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'the credit note, billing_invoices.uuid',
    invoice VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'what it credits, billing_invoices.uuid',
    reason  VARCHAR(500) NOT NULL,
    PRIMARY KEY (uuid),
    KEY invoice (invoice),
    CONSTRAINT billing_credits_invoice FOREIGN KEY (invoice) REFERENCES billing_invoices (uuid)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4;

"""The demo's jobs: of every kind and every temper, over all three tiers, each with what should become of it."""

import base64
import json
import random
import time
import uuid as uuids

QUEUES = ("critical", "high", "default", "low", "reports")
CURRENCIES = ("EUR", "JPY", "KWD")
# What is to be seen once and no more, however often a worker dies on it; the rest at least once.
EXACTLY_ONCE = ("invoice", "charge", "refund", "credit", "sms", "renewal")
LOGO = "brand/logo.png"  # a file that the shop has put into the storage
RENEWAL = "renewals-of-today"  # the uuid of the job that renews what is due


class Job:
    """One job as it is pushed, what should become of it, and under which row it is counted."""

    def __init__(self, row, queue, job, data, want, delay_s=0, raw=None):
        self.uuid = str(uuids.uuid4())
        self.row, self.queue, self.job, self.data = row, queue, job, data
        self.want = want  # "mail", "ledger", "sms", "invoice", "charge", "renewal", "report", "call", or a class of dead letters
        self.delay_s = delay_s
        self.raw = raw

    def payload(self):
        if self.raw is not None:
            return self.raw
        return json.dumps({"uuid": self.uuid, "job": self.job, "data": self.data, "attempts": 0,
                           "pushedAt": time.time()})


def mail(local, number):
    return {"to": f"{local}{number}@example.org", "subject": f"Your booking {number} – bestätigt",
            "text": f"Dear guest {number},\nyour booking is confirmed.\n"}


def ticket(number):
    """The bytes of a file that goes along with a mail."""
    return f"%PDF-1.7 ticket {number}\n".encode() * 40


def mail_with_files(number):
    return {**mail("traveller", number), "html": "<p>Your booking is confirmed.</p><img src='cid:logo'>", "priority": "high",
            "list_unsubscribe": {"url": f"https://shop.example/u/{number}", "one_click": True},
            "attachments": [{"name": f"Fahrkarte für {number}.pdf", "base64": base64.b64encode(ticket(number)).decode()},
                            {"cid": "logo", "type": "image/png", "storage": LOGO}]}


def mails():
    for n in range(200):
        yield Job("email.send", QUEUES[n % 5], "email.send", mail("guest", n), "mail")
    for n in range(20):
        yield Job("email.send, deferred once", QUEUES[n % 5], "email.send", mail("defer1-guest", n), "mail")
        yield Job("email.send, delayed 2 s", QUEUES[n % 5], "email.send", mail("later", n), "mail", delay_s=2)
    for n in range(20):
        yield Job("email.send, with a file and a picture", QUEUES[n % 5], "email.send", mail_with_files(n), "mail")
    for n in range(6):
        one, two, three = (f"{local}party{n}@example.org" for local in ("", "defer1-", "reject-"))
        yield Job("email.send, one deferred, one unknown", QUEUES[n % 5], "email.send",
                  {**mail("party", n), "to": [one, two, three]}, "mail")
    for n in range(10):
        yield Job("email.send, no such user", "default", "email.send", mail("reject", n), "failed")
        yield Job("email.send, header forged", "high", "email.send",
                  {**mail("guest", n), "subject": "x\r\nBcc: all@example.org"}, "failed")
        yield Job("email.send, always deferred", "low", "email.send", mail("defer-", n), "exhausted")


def messages():
    def text(n, fault=""):
        return {"to": f"+49170{1000000 + n}", "text": f"Booking {n} is confirmed ✓{fault}"}

    for n in range(40):
        yield Job("sms.send", QUEUES[n % 5], "sms.send", text(n), "sms")
    for n in range(10):
        yield Job("whatsapp.send", QUEUES[n % 5], "whatsapp.send", text(100 + n), "sms")
        yield Job("sms.send, told to come back later", QUEUES[n % 5], "sms.send", text(200 + n, " fault=busy1:1"), "sms")
        yield Job("sms.send, answer lost", QUEUES[n % 5], "sms.send", text(300 + n, " fault=reset-after-effect:1"), "sms")
    for n in range(4):
        yield Job("sms.send, no such number", "high", "sms.send", {"to": "0170 123", "text": "x"}, "failed")
        yield Job("sms.send, refused by the provider", "low", "sms.send", text(400 + n, " fault=fail400"), "failed")


def invoice_data(n):
    """Three currencies, several lines, taxes that need rounding."""
    lines = [{"text": f"Night {k + 1}, room {n % 40 + 1}", "quantity": 1 + k % 3, "unit_minor": 8999 + 7 * n,
              "tax_bp": (700, 1900, 0)[k % 3]} for k in range(1 + n % 4)]
    return {"customer": f"guest-{n % 10}", "currency": CURRENCIES[n % 3], "lines": lines,
            "series": ("INV", "SHOP")[n % 2]}


def invoices():
    for n in range(60):
        if n % 3:
            yield Job("billing.invoice", QUEUES[n % 5], "billing.invoice", invoice_data(n), "invoice")
        else:
            yield Job("billing.invoice, and its mail", QUEUES[n % 5], "billing.invoice", {**invoice_data(n), "mail": True},
                      "invoice")
    for n in range(3):
        yield Job("billing.invoice, no such customer", "default", "billing.invoice",
                  {**invoice_data(n), "customer": "nobody"}, "failed")
        yield Job("billing.invoice, in gold", "default", "billing.invoice", {**invoice_data(n), "currency": "XAU"}, "failed")


CARDS = (("billing.charge", "pm_card_visa", "charge"),
         ("billing.charge", "pm_card_visa", "charge"),
         ("billing.charge, answer lost", "pm_card_visa-fault=reset-after-effect:1", "charge"),
         ("billing.charge, server error", "pm_card_visa-fault=fail-after-effect:1", "charge"),
         ("billing.charge, connection lost", "pm_card_visa-fault=reset:1", "charge"),
         ("billing.charge, card declined", "pm_card_declined", "failed"))


def charges(issued):
    """One for each invoice that was issued: (uuid, currency, total) as the database holds them."""
    for n, (invoice, currency, total) in enumerate(issued):
        row, source, want = CARDS[n % len(CARDS)]
        yield Job(row, QUEUES[n % 5], "billing.charge",
                  {"invoice": invoice, "currency": currency, "amount_minor": int(total), "source": source}, want)


def amends(charged):
    """What a shop does afterwards: (uuid, data) of charges that were paid. Some get all back, some a part, some a credit note and then their money."""
    kinds = (("billing.refund", {}), ("billing.refund, of a part", {"amount_minor": 7}),
             ("billing.refund, answer lost", {"reason": "double booking fault=reset-after-effect:1"}))
    for n, (charge, data) in enumerate(charged[:24]):
        if n % 4 == 3:
            yield Job("billing.credit", QUEUES[n % 5], "billing.credit",
                      {"invoice": data["invoice"], "full": True, "reason": "the room was not ready"}, "credit")
        else:
            row, more = kinds[n % 4]
            yield Job(row, QUEUES[n % 5], "billing.refund", {"charge": charge, "reason": "a cold room", **more}, "refund")


def renewals():
    """One job, which finds the subscriptions and pushes a job for each; those push charges, and mails where one is refused."""
    job = Job("billing.renew, all that are due", "default", "billing.renew", {"due": True}, "renewal")
    job.uuid = RENEWAL
    yield job


def reports():
    span = {"from": "2026-02-01", "to": "2026-03-31"}
    for _ in range(6):
        yield Job("report.generate", "reports", "report.generate", {"report": "bookings", "params": span}, "report")
    for form in ("csv", "jsonl", "xlsx", "pdf"):
        for _ in range(2):
            yield Job(f"report.generate, {form}", "reports", "report.generate",
                      {"report": "months", "params": {}, "format": form}, "report")
    for n in range(3):
        yield Job("report.generate, and its mail", "reports", "report.generate",
                  {"report": "bookings", "params": span, "mail": {"to": [f"boss{n}@example.org"], "as": "attachment"}}, "report")
    yield Job("report.generate, of old calls to the archive", "reports", "report.generate", {"report": "old_calls"}, "report")
    yield Job("report.generate, unknown", "reports", "report.generate", {"report": "bookins", "params": {}}, "failed")
    yield Job("report.generate, no date", "reports", "report.generate",
              {"report": "bookings", "params": {**span, "to": "soon"}}, "failed")


def calls(port):
    for n in range(20):
        yield Job("http.call", QUEUES[n % 5], "http.call",
                  {"url": f"http://127.0.0.1:{port}/echo", "json": {"number": n}}, "call")
    for n in range(5):
        yield Job("http.call, fails once", "high", "http.call",
                  {"url": f"http://127.0.0.1:{port}/count/demo-{n}/1", "method": "POST", "json": {}}, "call")
    yield Job("http.call, into the cloud's own", "low", "http.call",
              {"url": "http://169.254.169.254/latest/meta-data/"}, "failed")


def programs():
    for n in range(30):
        for job, queue in (("image.resize", "default"), ("import.csv", "reports")):
            mode = ["plain", "plain", "slow", "flaky", "broken"][n % 5]
            if job == "import.csv" and mode == "slow":
                mode = "plain"
            want = "failed" if mode == "broken" else "ledger"
            yield Job(f"{job}, {mode}", queue, job, {"mode": mode, "number": n}, want)


def poison():
    for _ in range(2):
        yield Job("debug.crash (poison)", "default", "debug.crash", {}, "crashed")
    yield Job("no.such.job", "high", "no.such.job", {}, "no_handler")
    yield Job("not JSON", "high", None, None, "refused", raw="{\"job\": \"email.send\", oops")
    yield Job("no job named", "low", None, None, "refused", raw="{\"data\": 1}")


def plan(port):
    """All but the charges, which want issued invoices. port is where the web server listens."""
    jobs = [*mails(), *messages(), *invoices(), *renewals(), *reports(), *calls(port), *programs(), *poison()]
    random.shuffle(jobs)
    return jobs

"""What the demo's world must show in the end: books, subscriptions, mails, PDFs and CSVs, each against the database or what was pushed."""

import base64
import collections
import csv
import hashlib
import json
import os
import re
import subprocess
import xml.etree.ElementTree
import zipfile

from demo_plan import LOGO
from demo_world import CHILDREN, PICTURE


def check_books(stage, jobs):
    """Everything wrong with the billing tables, each as a line for a person; empty when the books are right."""
    wrong = []
    for series, last, count, highest, lowest in stage.sql(
            "SELECT s.name, s.last_number, COUNT(i.uuid), MAX(i.number), MIN(i.number) FROM billing_series s "
            "LEFT JOIN billing_invoices i ON i.series = s.name GROUP BY s.name, s.last_number"):
        if not int(count) == int(last) == int(highest) or int(lowest) != 1:
            wrong.append(f"series {series}: {count} invoices numbered {lowest} to {highest}, last number {last}")
    for uuid, currency, total in stage.sql(
            "SELECT uuid, currency, SUM(amount_minor) FROM billing_ledger GROUP BY uuid, currency HAVING SUM(amount_minor) <> 0"):
        wrong.append(f"ledger of {uuid}: sums to {total} {currency}")
    states = dict(stage.sql("SELECT uuid, state FROM billing_charges"))
    for job in (job for job in jobs if job.job == "billing.charge"):
        want = "ok" if job.want == "charge" else "refused"
        if states.get(job.uuid) != want:
            wrong.append(f"charge {job.uuid}: {states.get(job.uuid)} in the books, not {want}")
    open_minor = stage.sql("SELECT COALESCE(SUM(amount_minor), 0) FROM billing_ledger WHERE account = 'cash'")[0][0]
    charged = sum(job.data["amount_minor"] for job in jobs if job.want == "charge")
    charged += int(stage.sql("SELECT COALESCE(SUM(i.total_minor), 0) FROM billing_subscription_periods p "
                             "JOIN billing_invoices i ON i.uuid = p.invoice WHERE p.state = 'paid'")[0][0])
    charged -= int(stage.sql("SELECT COALESCE(SUM(amount_minor), 0) FROM billing_refunds WHERE state = 'ok'")[0][0])
    if int(open_minor) != charged:
        wrong.append(f"cash: {open_minor} in the ledger, {charged} charged")
    return wrong


def check_subscriptions(stage, seen):
    """(periods that were invoiced, what is wrong): each period once, paid by one charge, or refused and told by one mail."""
    wrong, periods = [], stage.sql(
        "SELECT p.subscription, p.period_start, p.state, s.state, s.source, p.invoice FROM billing_subscription_periods p "
        "JOIN billing_subscriptions s ON s.id = p.subscription")
    told = collections.Counter(to for mail in seen.mails if (mail["uuid"] or "").startswith(CHILDREN) for to in mail["to"])
    for subscription, day, state, whole, source, invoice in periods:
        name = f"{subscription}-{day.replace('-', '')}"
        charges = seen.seen["charge"][f"dun-{name}-0"]
        want = ("dunned", "past_due", 0) if source == "pm_card_declined" else ("paid", "active", 1)
        if (state, whole, charges) != want or invoice != f"renew-{name}":
            wrong.append(f"subscription {name}: {state}, {whole}, charged {charges} times, invoice {invoice}")
    missing = stage.sql("SELECT id FROM billing_subscriptions WHERE id NOT IN "
                        "(SELECT subscription FROM billing_subscription_periods GROUP BY subscription HAVING COUNT(*) = 2)")
    wrong += [f"subscription {subscription}: not two periods" for subscription, in missing]
    if not told:
        wrong.append("nobody was told that a card was refused")
    return len(periods), wrong


def check_attachments(jobs, seen):
    """(mails with files, what is wrong): each file as it was sent, the picture from the storage among them."""
    picture = hashlib.sha256(PICTURE).hexdigest()
    wanted = {job.uuid: [[one["name"] for one in job.data["attachments"] if "name" in one],
                         [hashlib.sha256(base64.b64decode(one["base64"])).hexdigest() if "base64" in one else picture
                          for one in job.data["attachments"]]] for job in jobs if job.want == "mail" and "attachments" in job.data}
    wrong, good = [], 0
    for mail in seen.mails:
        if mail["uuid"] not in wanted:
            continue
        names, sums = wanted[mail["uuid"]]
        if sorted(sums) != sorted(one["sha256"] for one in mail["files"]) or names != [
                one["name"] for one in mail["files"] if one["name"]]:
            wrong.append(f"mail {mail['uuid']}: its files are not those that were sent")
        else:
            good += 1
    return good, wrong


def check_audit(stage):
    """What workerctl itself says of the books."""
    done = stage.ctl(["--config", stage.config, "billing", "audit"], check=False)
    return [] if done is not None else ["workerctl billing audit finds fault with the books"]


def check_pdfs(stage):
    """Opens every invoice: it must tell its number."""
    wrong, good = [], 0
    for series, number, key in stage.sql("SELECT series, number, pdf_key FROM billing_invoices"):
        path = stage.file(key or "(none)")
        done = subprocess.run(["pdftotext", "-layout", path, "-"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              text=True, check=False)
        if done.returncode != 0:
            wrong.append(f"invoice {series} {number}: {done.stderr.strip()}")
        elif not re.search(rf"{series}-0*{number}\b", done.stdout):
            wrong.append(f"invoice {series} {number}: {path} does not tell its number")
        else:
            good += 1
    return good, wrong


def check_csvs(stage):
    """Opens every report of bookings: each row as the database has it."""
    want = [[*row[:5], row[5] or ""] for row in stage.sql(
        "SELECT id, guest, nights, price, booked_on, REPLACE(note, '\n', '|') FROM bookings "
        "WHERE booked_on BETWEEN '2026-02-01' AND '2026-03-31' ORDER BY id")]
    wrong, good = [], 0
    for uuid, rows, size, place in stage.sql(
            "SELECT uuid, row_count, bytes, place FROM report_runs WHERE state = 'done' AND report = 'bookings'"):
        path = stage.file(place)
        with open(path, encoding="utf-8", newline="") as file:
            head, *got = list(csv.reader(file))
        # A quote stands before what a spreadsheet would run.
        got = [[*row[:5], row[5].removeprefix("'").replace("\n", "|")] for row in got]
        if head != ["Booking", "Guest", "Nights", "Price", "Booked", "Note"] or got != want:
            wrong.append(f"report {uuid}: {path} is not what the database holds")
        elif int(rows) != len(got) or int(size) != os.path.getsize(path):
            wrong.append(f"report {uuid}: {rows} rows and {size} bytes recorded, not so in {path}")
        else:
            good += 1
    return good, wrong


def xlsx_cells(path):
    """The texts and numbers of the first sheet, row by row."""
    with zipfile.ZipFile(path) as book:
        sheet = xml.etree.ElementTree.fromstring(book.read("xl/worksheets/sheet1.xml"))
        charts = [name for name in book.namelist() if name.startswith("xl/charts/chart")]
    space = {"s": "http://schemas.openxmlformats.org/spreadsheetml/2006/main"}
    rows = [["".join(cell.itertext()) for cell in row.findall("s:c", space)] for row in sheet.iterfind(".//s:row", space)]
    return rows, len(charts)


def read_months(path):
    """(bookings that the file's rows and totals tell, whether it is all there) of a report in any of its forms."""
    if path.endswith(".jsonl"):
        with open(path, encoding="utf-8") as file:
            rows = [json.loads(line) for line in file]
        return rows[-1]["bookings"], len(rows) == 16 + 4 + 1
    if path.endswith(".csv"):
        with open(path, encoding="utf-8", newline="") as file:
            rows = list(csv.reader(file))
        return int(rows[-1][2]), len(rows) == 1 + 16 + 4 + 1
    if path.endswith(".xlsx"):
        rows, charts = xlsx_cells(path)
        return int(rows[-1][1]), len(rows) == 1 + 16 + 4 + 1 and charts == 2
    text = subprocess.run(["pdftotext", "-layout", path, "-"], stdout=subprocess.PIPE, text=True, check=True).stdout
    totals = re.findall(r"^\s*Total(?: \d)?\s+(\d+)\s", text, re.MULTILINE)
    return int(totals[-1]) if len(totals) == 4 + 1 else 0, "Bookings by length" in text and "Turnover" in text


def check_months(stage):
    """(reports in all forms, what is wrong): each tells as many bookings as the database has, and its sum is that recorded."""
    want = int(stage.sql("SELECT COUNT(*) FROM bookings WHERE nights BETWEEN 1 AND 4")[0][0])
    wrong, forms = [], collections.Counter()
    for uuid, place in stage.sql("SELECT uuid, place FROM report_runs WHERE state = 'done' AND report = 'months'"):
        bookings, whole = read_months(stage.file(place))
        if bookings != want or not whole:
            wrong.append(f"report {uuid}: {place} tells {bookings} bookings of {want}, or is not whole")
        forms[place.rpartition(".")[2]] += 1
    return forms, wrong


def check_files_by_mail(stage, jobs, seen):
    """(invoices and reports that came by mail, what is wrong): the very file of the storage."""
    keys = dict(stage.sql("SELECT uuid, pdf_key FROM billing_invoices") + stage.sql("SELECT uuid, place FROM report_runs"))
    wanted = {job.uuid for job in jobs if job.want in ("invoice", "report") and job.data.get("mail")}
    wrong, told = [], set()
    for mail in seen.mails:
        uuid, _, kind = (mail["uuid"] or "").rpartition(".")
        if kind != "mail" or uuid not in wanted:
            continue
        with open(stage.file(keys[uuid]), "rb") as file:
            if [hashlib.sha256(file.read()).hexdigest()] != [one["sha256"] for one in mail["files"]]:
                wrong.append(f"mail of {uuid}: it does not bring {keys[uuid]}")
        told.add(uuid)
    return len(told), wrong + [f"{uuid}: no mail brought its file" for uuid in wanted - told]


def check_record(stage, jobs):
    """(messages in the record, what is wrong): each that was sent, by the provider that is there."""
    recorded = {uuid for uuid, in stage.sql("SELECT uuid FROM millrace_notifications WHERE state = 'ok' AND provider = 'default'")}
    wanted = {job.uuid for job in jobs if job.want == "sms"}
    return len(recorded), [f"message {uuid}: not so in the record" for uuid in sorted(recorded ^ wanted)]


def check_archive(stage):
    """(old calls, what is wrong): all of them in the archive, none twice, the others where they were."""
    moved, whole = stage.sql("SELECT (SELECT COUNT(*) FROM calls_archive), (SELECT COUNT(*) FROM calls_archive) + (SELECT COUNT(*) FROM calls)")[0]
    left = stage.sql("SELECT COUNT(*) FROM calls WHERE created_at < UTC_TIMESTAMP() - INTERVAL 366 DAY")[0][0]
    good = int(whole) == 12000 and int(left) == 0 and int(moved) > 3000
    return int(moved), [] if good else [f"{moved} calls in the archive, {whole} in all, {left} old ones left"]


def leftovers(stage):
    """
    Files that are neither an invoice nor a report. What a killed worker had not finished is not among them: nobody finds it under its
    key, and an hour later it is swept away.
    """
    kept = {key for key, in stage.sql("SELECT pdf_key FROM billing_invoices UNION SELECT place FROM report_runs WHERE place IS NOT NULL")}
    kept.add(LOGO)
    return sorted(key for key in stage.stored() if key not in kept and not key.endswith(".part"))

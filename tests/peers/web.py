"""A real HTTP server for the demo and the tests: a provider of text messages, a provider of payments and plain paths in one;
it keeps what it receives, and misbehaves when a request asks for it.

Usage: /usr/bin/python3 tests/peers/web.py --out FILE [--host 127.0.0.1 | --fd N] [--account SID --token TOKEN]
                                            [--bearer KEY] [--cert FILE --key FILE] [--search-lag MS]
                                            [--fault FAULTS] [--forever]

With --fd it listens on an inherited socket that is bound already. Prints {"port": N} on standard output once it listens, then
serves until standard input ends, or with --forever until it is told to stop.

Text messages, as Twilio has them:
    POST /2010-04-01/Accounts/{sid}/Messages.json   form To, From, Body; Basic auth --account:--token
    refused numbers: +15005550001 invalid (21211), ...2 no way there (21612), ...3 not allowed (21408), ...4 stopped (21610),
    ...9 no mobile (21614); as From ...1 invalid (21212), ...7 not owned (21606), ...8 its queue is full (21611)
Text messages, as somebody else may have them:
    POST /sms/send                                  JSON or form to, text, from, ref; always 200, and a list of one answer:
    {"messages": [{"id": "m-1", "status": "0"}]}; the numbers +1500555... get status "4" and "error": "..."
Payments, as Stripe has them:
    POST /v1/payment_intents                        form amount, currency, payment_method, confirm, metadata[...]
    GET  /v1/payment_intents/{id}                   Bearer --bearer
    GET  /v1/payment_intents/search?query=metadata['uuid']:'...'   finds what is older than --search-lag
    POST /v1/refunds                                form payment_intent, amount?, metadata[...]
    GET  /v1/refunds?payment_intent={id}&limit=N    the latest first, has_more where there are more
    payment_method: pm_card_declined..., pm_card_insufficient..., pm_card_expired... are refused (402),
    pm_card_authentication... ends in requires_action, pm_card_processing... in processing; any other is paid.
    Refunds of what was paid with pm_card_disputed... are refused (400), with pm_card_refundFail... they fail, with
    pm_card_refundPending... they stay pending; never is more given back than was taken.
Both remember Idempotency-Key: the same request again gets the stored answer, another one 400, one under way 409 (payments). Only
answers of requests that were carried out are stored: no 400, 401, 429.
Plain paths, any method:
    /echo                     what was sent, as JSON             /status/{n}     that status
    /count/{name}/{n}         500 the first n times              /bytes/{n}      that many bytes; ?chunked without a length
    /redirect?to=URL&status=N (302)

Faults: `fault=` and a list in the query string, in the header X-Fault, in any form value or anywhere in a JSON body, or for all
requests by --fault. Of the list `a:2,b:1` a request gets a the first two times, then b once, then is served; without a
number for ever. Requests count as the same by their Idempotency-Key, else by path and body.
    busy, busy<s>, busy-date<s>   429; with Retry-After in seconds or as a date
    fail, fail<n>                 500 or status n before anything was done; not stored
    fail-kept                     the same, and stored for the key
    fail-after-effect             500 although it was done; payments store the 500, messages the good answer
    reset-before-body             the connection is reset when the headers have come (not from a body)
    reset, reset-after-effect     ...when all has come, nothing was done; ...when all was done and stored
    hang, hang-after-effect       no answer for ever
    slow<ms>                      carried out, then answered, after that time; its key is under way until then
    dribble<ms>                   the answer comes byte by byte, that far apart
    provisional<ms>               103 Early Hints and nothing else, again and again for ever, that far apart
    half                          the connection is closed after half of the answer's body
    garbage                       the right status with a body that is no JSON

Each request becomes one JSON line in FILE, written before its answer: at_ms, kind (message, charge, lookup, refund, refund-lookup, plain), method,
path (with its query), headers (names in lower case), form or json or body, key (Idempotency-Key), uuid (metadata[uuid]), effect (true, false,
"replay"), status (null when there is no answer), fault, connection (its number, from 1), open (requests under way, this one
included). The lines whose effect is true are all that ever happened: a second one for the same key is a double charge or refund.
"""

import argparse
import base64
import collections
import email.utils
import http.server
import json
import math
import os
import re
import socket
import ssl
import struct
import sys
import threading
import time
import urllib.parse

Answer = collections.namedtuple("Answer", "status body headers", defaults=((),))
Fault = collections.namedtuple("Fault", "name number text")
Route = collections.namedtuple("Route", "kind allowed act keeps")

GSM_BASIC = ("@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
             "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà")
GSM_EXTENDED = "\f^{}\\[~]|€"
REFUSED_TO = {"1": (21211, "The 'To' number {} is not a valid phone number."),
              "2": (21612, "The 'To' phone number {} is not currently reachable"),
              "3": (21408, "Permission to send an SMS has not been enabled for the region indicated by the 'To' number: {}"),
              "4": (21610, "The message From/To pair violates a blacklist rule."),
              "9": (21614, "To number: {}, is not a mobile number")}
REFUSED_FROM = {"1": (21212, "The 'From' number {} is not a valid phone number."),
                "7": (21606, "The From phone number {} is not a valid, SMS-capable inbound phone number"),
                "8": (21611, "This 'From' number has exceeded the maximum number of queued messages")}
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


class Ask:
    """One request as it came."""

    def __init__(self, method, path, headers, body):
        self.method, self.path, self.headers, self.body = method, path, headers, body
        self.text = body.decode("utf-8", "replace")
        parts = urllib.parse.urlsplit(path)
        self.place = parts.path
        self.query = dict(urllib.parse.parse_qsl(parts.query, keep_blank_values=True))
        kind = headers.get("content-type", "").split(";")[0]
        pairs = urllib.parse.parse_qsl(self.text, keep_blank_values=True)
        self.form = dict(pairs) if kind == "application/x-www-form-urlencoded" else None
        self.key = headers.get("idempotency-key")
        self.json = None
        if kind == "application/json":
            try:
                self.json = json.loads(self.text)
            except ValueError:
                pass

    def same_as(self):
        """What makes two requests the same one, asked again."""
        return self.key or (self.method, self.place, self.text)

    def wishes(self):
        """The list of faults that it asks for itself."""
        values = [self.headers.get("x-fault", ""), urllib.parse.unquote(self.path)]
        values += self.form.values() if self.form else [self.text]
        for value in values:
            found = re.search(r"\bfault=([a-z0-9:,-]+)", value)
            if found:
                return found.group(1)
        return None


class Faults:
    """Which fault a request gets, counted for each."""

    def __init__(self, for_all):
        self.for_all, self.times, self.lock = for_all, collections.Counter(), threading.Lock()

    def next(self, ask):
        with self.lock:
            for text in filter(None, (ask.wishes() or self.for_all or "").split(",")):
                found = re.fullmatch(r"([a-z-]+?)(\d+)?(?::(\d+))?", text)
                if not found:
                    raise ValueError(f"no such fault: {text}")
                name, number, most = found.groups()
                self.times[text, ask.same_as()] += 1
                if most is None or self.times[text, ask.same_as()] <= int(most):
                    return Fault(name, int(number) if number else None, text)
        return None


class Memory:
    """Answers by Idempotency-Key, as the providers keep them."""

    def __init__(self):
        self.kept, self.lock = {}, threading.Lock()

    def begin(self, ask):
        """(state, answer): "new" reserves the key; else "other", "busy", or "replay" with its answer."""
        if not ask.key:
            return "new", None
        same = (ask.place, ask.form, ask.json)
        with self.lock:
            if ask.key not in self.kept:
                self.kept[ask.key] = (same, None)
                return "new", None
            before, answer = self.kept[ask.key]
        if before != same:
            return "other", None
        return ("replay", answer) if answer else ("busy", None)

    def end(self, ask, answer):
        """answer is kept, or the key is free again at None."""
        with self.lock:
            if ask.key and answer:
                self.kept[ask.key] = (self.kept[ask.key][0], answer)
            elif ask.key:
                del self.kept[ask.key]


class Messages:
    """The provider of text messages."""

    def __init__(self, options):
        self.options, self.n = options, 0

    @staticmethod
    def refusal(status, code, message):
        return Answer(status, {"code": code, "message": message, "status": status,
                               "more_info": f"https://www.twilio.com/docs/errors/{code}"})

    def allowed(self, ask):
        if not self.options.account:
            return None
        pair = f"{self.options.account}:{self.options.token or ''}".encode()
        good = "Basic " + base64.b64encode(pair).decode()
        if ask.headers.get("authorization") == good and f"/{self.options.account}/" in ask.place:
            return None
        return self.refusal(401, 20003, "Authenticate")

    @staticmethod
    def segments(text):
        if all(c in GSM_BASIC or c in GSM_EXTENDED for c in text):
            size, one, more = len(text) + sum(c in GSM_EXTENDED for c in text), 160, 153
        else:
            size, one, more = len(text.encode("utf-16-le")) // 2, 70, 67
        return 1 if size <= one else math.ceil(size / more)

    def act(self, ask):
        form = ask.form or {}
        to, sender, body = (form.get(name, "") for name in ("To", "From", "Body"))
        number = r"(whatsapp:)?\+[1-9][0-9]{6,14}"
        for value, pattern, refused in ((to, number, REFUSED_TO),
                                        (sender, number + r"|[A-Za-z0-9 ]{1,11}", REFUSED_FROM)):
            how = refused["1"] if not re.fullmatch(pattern, value) else None
            if value.rpartition(":")[2].startswith("+1500555000"):
                how = refused.get(value[-1])
            if how:
                return self.refusal(400, how[0], how[1].format(value)), False
        if not body:
            return self.refusal(400, 21602, "Message body is required."), False
        if len(body) > 1600:
            return self.refusal(400, 21617, "The concatenated message body exceeds the 1600 character limit"), False
        self.n += 1
        return Answer(201, {
            "sid": f"SM{self.n:032x}", "account_sid": ask.place.split("/")[3], "status": "queued", "to": to, "from": sender,
            "body": body, "num_segments": str(self.segments(body)), "num_media": "0", "direction": "outbound-api",
            "error_code": None, "error_message": None}), True

    def other(self, _ask):
        return self.refusal(400, 20001, "Idempotency-Key was used with other parameters")

    def busy(self, _ask):
        return self.refusal(409, 20409, "A request with this Idempotency-Key is under way")


class OtherMessages(Messages):
    """Another provider of text messages, with an API of its own."""

    def allowed(self, _ask):
        return None

    def act(self, ask):
        told = ask.json if isinstance(ask.json, dict) else ask.form or {}
        to, text = told.get("to", ""), told.get("text", "")
        if not re.fullmatch(r"\+[1-9][0-9]{6,14}", to) or to.startswith("+1500555") or not text:
            return Answer(200, {"messages": [{"status": "4", "error": f"no message can go to {to}"}]}), False
        self.n += 1
        return Answer(200, {"messages": [{"id": f"m-{self.n}", "status": "0"}]}), True


class Payments:
    """The provider of payments."""

    def __init__(self, options):
        self.options, self.made, self.refunds, self.lock = options, [], [], threading.Lock()

    @staticmethod
    def refusal(status, kind, code, message, **more):
        return Answer(status, {"error": {"type": kind, "code": code, "message": message, **more}})

    def allowed(self, ask):
        if not self.options.bearer or ask.headers.get("authorization") == "Bearer " + self.options.bearer:
            return None
        return self.refusal(401, "invalid_request_error", None, "Invalid API Key provided")

    def wrong(self, form):
        """What is wrong with these parameters, or None."""
        amount, currency = form.get("amount", ""), form.get("currency", "")
        if not re.fullmatch(r"[1-9][0-9]{0,7}", amount):
            return self.refusal(400, "invalid_request_error", "parameter_invalid_integer",
                                f"Invalid integer: {amount}", param="amount")
        if not re.fullmatch(r"[a-z]{3}", currency.lower()) or currency.lower() in ("xxx", "xau"):
            return self.refusal(400, "invalid_request_error", "parameter_invalid_string",
                                f"Invalid currency: {currency}", param="currency")
        if not form.get("payment_method", "").startswith("pm_"):
            return self.refusal(400, "invalid_request_error", "resource_missing",
                                "No such PaymentMethod", param="payment_method")
        return None

    @staticmethod
    def decline(method):
        """(code, decline_code) of a card that is not paid with, or None."""
        if re.match(r"pm_card_(declined|chargeDeclined)", method):
            return "card_declined", "generic_decline"
        if method.startswith("pm_card_insufficient"):
            return "card_declined", "insufficient_funds"
        if method.startswith("pm_card_expired"):
            return "expired_card", None
        return None

    def act(self, ask):
        form = ask.form or {}
        wrong, method = self.wrong(form), form.get("payment_method", "")
        if wrong:
            return wrong, False
        declined = self.decline(method)
        status = "succeeded"
        if declined:
            status = "requires_payment_method"
        elif method.startswith("pm_card_authentication"):
            status = "requires_action"
        elif method.startswith("pm_card_processing"):
            status = "processing"
        elif form.get("confirm") != "true":
            status = "requires_confirmation"
        intent = self.make(form, status)
        if declined:
            return self.refusal(402, "card_error", declined[0], "Your card was declined.", decline_code=declined[1],
                                payment_intent=intent), False
        return Answer(200, intent), status == "succeeded"

    @staticmethod
    def metadata(form):
        return {name[9:-1]: value for name, value in form.items() if re.fullmatch(r"metadata\[.+\]", name)}

    def make(self, form, status):
        metadata = self.metadata(form)
        with self.lock:
            intent = {"id": f"pi_{len(self.made) + 1:024d}", "object": "payment_intent", "amount": int(form["amount"]),
                      "amount_received": int(form["amount"]) if status == "succeeded" else 0,
                      "currency": form["currency"].lower(), "metadata": metadata, "status": status,
                      "payment_method": form["payment_method"], "created": int(time.time()), "livemode": False}
            self.made.append((time.monotonic(), intent))
        return intent

    def refund(self, ask):
        """Under one lock: two at once cannot both find the money there."""
        form, name = ask.form or {}, (ask.form or {}).get("payment_intent", "")
        with self.lock:
            intent = next((intent for _at, intent in self.made if intent["id"] == name), None)
            if not intent:
                return self.refusal(404, "invalid_request_error", "resource_missing", f"No such payment_intent: '{name}'"), False
            left = intent["amount_received"] - sum(refund["amount"] for refund in self.refunds if refund["payment_intent"] == name
                                                   and refund["status"] != "failed")
            amount = form.get("amount", str(left))
            if not re.fullmatch(r"[1-9][0-9]{0,7}", amount):
                return self.refusal(400, "invalid_request_error", "parameter_invalid_integer",
                                    f"Invalid integer: {amount}", param="amount"), False
            if int(amount) > left:
                return self.refusal(400, "invalid_request_error", "charge_already_refunded" if left == 0 else "amount_too_large",
                                    f"Refund amount ({amount}) is greater than unrefunded amount on charge ({left})"), False
            if intent["payment_method"].startswith("pm_card_disputed"):
                return self.refusal(400, "invalid_request_error", "charge_disputed", "The charge has been charged back."), False
            refund = self.make_refund(form, intent, int(amount))
            self.refunds.append(refund)
        return Answer(200, refund), refund["status"] == "succeeded"

    def make_refund(self, form, intent, amount):
        status = "succeeded"
        if intent["payment_method"].startswith("pm_card_refundFail"):
            status = "failed"
        elif intent["payment_method"].startswith("pm_card_refundPending"):
            status = "pending"
        refund = {"id": f"re_{len(self.refunds) + 1:024d}", "object": "refund", "amount": amount, "currency": intent["currency"],
                  "payment_intent": intent["id"], "metadata": self.metadata(form), "status": status, "created": int(time.time())}
        if status == "failed":
            refund["failure_reason"] = "expired_or_canceled_card"
        return refund

    def list_refunds(self, ask):
        limit = int(ask.query.get("limit", 10))
        with self.lock:
            found = [refund for refund in reversed(self.refunds) if refund["payment_intent"] == ask.query.get("payment_intent")]
        return Answer(200, {"object": "list", "url": ask.place, "data": found[:limit], "has_more": len(found) > limit}), False

    def look_up(self, ask):
        with self.lock:
            made = list(self.made)
        if ask.place.endswith("/search"):
            asked = re.fullmatch(r"""metadata\[['"](.+)['"]\]:['"](.+)['"]""", ask.query.get("query", ""))
            if not asked:
                return self.refusal(400, "invalid_request_error", None, "Invalid search query", param="query"), False
            seen_until = time.monotonic() - self.options.search_lag / 1000
            found = [intent for at, intent in reversed(made)
                     if at <= seen_until and intent["metadata"].get(asked.group(1)) == asked.group(2)]
            return Answer(200, {"object": "search_result", "data": found, "has_more": False, "url": ask.place}), False
        name = ask.place.rsplit("/", 1)[1]
        for _at, intent in made:
            if intent["id"] == name:
                return Answer(200, intent), False
        return self.refusal(404, "invalid_request_error", "resource_missing", f"No such payment_intent: '{name}'"), False

    def other(self, _ask):
        return self.refusal(400, "idempotency_error", None,
                            "Keys for idempotent requests can only be used with the same parameters they were first used with.")

    def busy(self, _ask):
        return self.refusal(409, "idempotency_error", "idempotency_key_in_use",
                            "There is currently another in-progress request using this idempotency key.")


class Plain:
    """Paths without a provider behind them."""

    def __init__(self):
        self.counts, self.lock = collections.Counter(), threading.Lock()

    @staticmethod
    def allowed(_ask):
        return None

    def act(self, ask):
        words = ask.place.strip("/").split("/")
        effect = ask.method not in ("GET", "HEAD", "OPTIONS")
        if words[0] == "status":
            status = int(words[1])
            return Answer(status, {"status": status}), effect and status < 400
        if words[0] == "count":
            with self.lock:
                self.counts[words[1]] += 1
                good = self.counts[words[1]] > int(words[2])
            return Answer(200 if good else 500, {"times": self.counts[words[1]]}), effect and good
        if words[0] == "bytes":
            return Answer(200, b"0123456789abcdef" * (int(words[1]) // 16) + b"0" * (int(words[1]) % 16)), effect
        if words[0] == "redirect":
            return Answer(int(ask.query.get("status", 302)), {}, (("Location", ask.query["to"]),)), False
        if words[0] == "echo":
            return Answer(200, {"method": ask.method, "path": ask.path, "headers": ask.headers, "form": ask.form,
                                "json": ask.json, "body": ask.text}), effect
        return Answer(404, {"message": "no such path here"}), False


class Peer:
    """All that the requests share."""

    def __init__(self, options):
        self.out = open(options.out, "a+", encoding="utf-8", buffering=1)
        if self.out.tell() > 0:
            self.out.write("\n")  # one before was killed, perhaps in the midst of a line
        self.lock = threading.Lock()
        self.connections = self.open = 0
        self.faults, self.memory = Faults(options.fault), Memory()
        self.messages, self.payments, self.plain = Messages(options), Payments(options), Plain()
        self.other_messages = OtherMessages(options)

    def count(self, name, by):
        with self.lock:
            setattr(self, name, getattr(self, name) + by)
            return getattr(self, name)

    def route(self, ask):
        if ask.method == "POST" and re.fullmatch(r"/2010-04-01/Accounts/[^/]+/Messages\.json", ask.place):
            return Route("message", self.messages, self.messages.act, True)
        if ask.place == "/sms/send":
            return Route("message", self.other_messages, self.other_messages.act, True)
        if ask.method == "POST" and ask.place == "/v1/payment_intents":
            return Route("charge", self.payments, self.payments.act, True)
        if ask.method == "GET" and ask.place.startswith("/v1/payment_intents/"):
            return Route("lookup", self.payments, self.payments.look_up, False)
        if ask.method == "POST" and ask.place == "/v1/refunds":
            return Route("refund", self.payments, self.payments.refund, True)
        if ask.method == "GET" and ask.place == "/v1/refunds":
            return Route("refund-lookup", self.payments, self.payments.list_refunds, False)
        return Route("plain", self.plain, self.plain.act, False)

    def serve(self, ask, fault):
        """(kind, answer or None, effect)"""
        route = self.route(ask)
        if fault and fault.name in ("reset", "reset-before-body", "hang"):
            return route.kind, None, False
        if fault and fault.name in ("busy", "busy-date"):
            return route.kind, busy_answer(fault), False
        if fault and fault.name == "fail":
            return route.kind, failure(fault.number or 500), False
        refused = route.allowed.allowed(ask)
        if refused:
            return route.kind, refused, False
        return (route.kind, *self.carry_out(route, ask, fault))

    def carry_out(self, route, ask, fault):
        state, answer = self.memory.begin(ask) if route.keeps else ("new", None)
        if state == "replay":
            return answer._replace(headers=(("Idempotent-Replayed", "true"),)), "replay"
        if state != "new":
            return getattr(route.allowed, state)(ask), False
        if fault and fault.name == "slow":
            time.sleep(fault.number / 1000)
        answer, effect = (failure(500), False) if fault and fault.name == "fail-kept" else route.act(ask)
        kept = answer if answer.status < 300 or answer.status in (402, 500) else None
        if fault and fault.name == "fail-after-effect":
            answer = failure(500)
            kept = answer if route.kind in ("charge", "refund") else kept
        if route.keeps:
            self.memory.end(ask, kept)
        return answer, effect

    def record(self, ask, kind, answer, effect, fault, connection, n_open):
        line = {"at_ms": int(time.time() * 1000), "kind": kind, "method": ask.method, "path": ask.path,
                "headers": ask.headers, "key": ask.key, "uuid": (ask.form or {}).get("metadata[uuid]"), "effect": effect,
                "status": answer.status if answer else None, "fault": fault.text if fault else None,
                "connection": connection, "open": n_open}
        if ask.form is not None:
            line["form"] = ask.form
        elif ask.json is not None:
            line["json"] = ask.json
        else:
            line["body"] = ask.text
        with self.lock:
            self.out.write(json.dumps(line) + "\n")


def failure(status):
    return Answer(status, {"code": 20500, "message": "Internal server error", "status": status,
                           "error": {"type": "api_error", "message": "Internal server error"}})


def busy_answer(fault):
    headers = ()
    if fault.number is not None and fault.name == "busy-date":
        headers = (("Retry-After", email.utils.formatdate(time.time() + fault.number, usegmt=True)),)
    elif fault.number is not None:
        headers = (("Retry-After", str(fault.number)),)
    return Answer(429, {"code": 20429, "message": "Too Many Requests", "status": 429,
                        "error": {"type": "invalid_request_error", "code": "rate_limit", "message": "Too many requests"}},
                  headers)


class Connection(http.server.BaseHTTPRequestHandler):
    """One connection, with one request after the other."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def setup(self):
        super().setup()
        self.number = self.server.peer.count("connections", 1)

    def log_message(self, *_):
        pass

    def respond(self):
        n_open = self.server.peer.count("open", 1)
        try:
            self.exchange(n_open)
        except (ConnectionError, ssl.SSLError):
            self.close_connection = True  # who asked has gone
        finally:
            self.server.peer.count("open", -1)

    def exchange(self, n_open):
        peer, headers = self.server.peer, {name.lower(): value for name, value in self.headers.items()}
        ask = Ask(self.command, self.path, headers, b"")
        before_body = "reset-before-body" in (ask.wishes() or peer.faults.for_all or "")
        fault = peer.faults.next(ask) if before_body else None
        if not fault or fault.name != "reset-before-body":
            ask = Ask(self.command, self.path, headers, self.rfile.read(int(headers.get("content-length", 0))))
            fault = fault or (None if before_body else peer.faults.next(ask))
        kind, answer, effect = peer.serve(ask, fault)
        after = fault.name if fault else None
        silent = after in ("hang", "hang-after-effect", "reset", "reset-after-effect", "reset-before-body")
        peer.record(ask, kind, None if silent else answer, effect, fault, self.number, n_open)
        if silent:
            self.leave(after)
        else:
            self.answer(answer, fault, chunked="chunked" in ask.query)

    def leave(self, how):
        """Without an answer."""
        self.close_connection = True
        if how.startswith("hang"):
            self.connection.recv(1)  # until the other side has gone
            return
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        os.close(self.connection.detach())

    def hint(self, wait_ms):
        """Until whoever asked has had enough."""
        while True:
            self.wfile.write(b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n")
            time.sleep(wait_ms / 1000)

    def answer(self, answer, fault, chunked):
        name = fault.name if fault else None
        if name == "provisional":
            self.hint(fault.number or 0)
        raw = isinstance(answer.body, bytes)
        body = answer.body if raw else json.dumps(answer.body).encode()
        if name == "garbage":
            body = b"<html><body>It works!</body></html>"
        if answer.status in (204, 304):
            body = b""
        lines = [f"HTTP/1.1 {answer.status} {self.responses.get(answer.status, ('Status',))[0]}",
                 "Content-Type: " + ("application/octet-stream" if raw else "application/json"),
                 *(f"{key}: {value}" for key, value in answer.headers),
                 "Transfer-Encoding: chunked" if chunked else f"Content-Length: {len(body)}"]
        head = ("\r\n".join(lines) + "\r\n\r\n").encode()
        if self.command == "HEAD":
            body = b""
        elif chunked:
            body = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body) if body else b"0\r\n\r\n"
        if name == "half":
            body = body[:len(body) // 2]
            self.close_connection = True
        if name != "dribble":
            self.wfile.write(head + body)
            return
        for byte in head + body:
            self.wfile.write(bytes((byte,)))
            time.sleep((fault.number or 5) / 1000)


for method in METHODS:
    setattr(Connection, "do_" + method, Connection.respond)


class Server(http.server.ThreadingHTTPServer):
    """Accepts connections; each is served by a thread of its own."""

    daemon_threads = True

    def __init__(self, listener, options):
        super().__init__(listener.getsockname(), Connection, bind_and_activate=False)
        self.socket.close()
        self.socket, self.peer = listener, Peer(options)
        if options.cert:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(options.cert, options.key)
            # The handshake is the connection's own affair, on its thread.
            self.socket = context.wrap_socket(listener, server_side=True, do_handshake_on_connect=False)

    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], (ConnectionError, ssl.SSLError)):
            super().handle_error(request, client_address)


def parse(argv):
    parser = argparse.ArgumentParser(description="an HTTP server that keeps what it receives")
    parser.add_argument("--out", required=True)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--fd", type=int, help="a bound socket to listen on")
    parser.add_argument("--account", help="of the text messages; without it nobody is asked who they are")
    parser.add_argument("--token")
    parser.add_argument("--bearer", help="key of the payments; without it nobody is asked who they are")
    parser.add_argument("--cert")
    parser.add_argument("--key")
    parser.add_argument("--search-lag", type=int, default=0, metavar="MS", help="how late a search sees a payment")
    parser.add_argument("--fault", help="faults of all requests that ask for none themselves")
    parser.add_argument("--forever", action="store_true", help="do not look at standard input")
    return parser.parse_args(argv)


def bound_socket(options):
    if options.fd is None:
        return socket.create_server((options.host, 0), backlog=128)
    listener = socket.socket(fileno=options.fd)
    listener.listen(128)
    return listener


def serve(options):
    listener = bound_socket(options)
    server = Server(listener, options)
    print(json.dumps({"port": server.socket.getsockname()[1]}), flush=True)
    if options.forever:
        server.serve_forever()
    # Whoever started it holds its standard input: its end is ours.
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdin.read()


if __name__ == "__main__":
    serve(parse(sys.argv[1:]))

"""A real SMTP server for the demo and the tests: keeps what it receives, and misbehaves when an address asks for it.

Usage: /usr/bin/python3 tests/peers/smtp.py --out FILE [--host 127.0.0.1 | --fd N] [--user U --password P]
                                            [--cert FILE --key FILE] [--tls] [--require-tls] [--forever]

With --fd it listens on an inherited socket that is bound already. Prints {"port": N} on standard output once it listens, then serves until standard input ends, or with --forever until it is
told to stop.
Each mail accepted becomes one JSON line in FILE: at_ms, from, to (list), uuid (of the X-Millrace-Uuid header), the headers, the tree of
its types, its bodies as parts ([type, text]), its files, its defects as the parser finds them, and the raw message. The local part of a recipient says what happens to it:

    reject...   550 at RCPT                     defer...      451 at RCPT, always
    defer<n>-.. 451 at RCPT, the first n times  refuse-data.. 554 after the message
    drop...     the connection is cut after the message, without an answer
    drop<n>-..  the same, the first n times
    slow<n>-..  the message is answered after n milliseconds
"""

import argparse
import asyncio
import email
import email.policy
import hashlib
import json
import re
import socket
import ssl
import sys
import time

from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword


def tree(part):
    """The types of a message and of its parts, as nested lists."""
    if not part.is_multipart():
        return part.get_content_type()
    return [part.get_content_type(), *map(tree, part.iter_parts())]


def file(part):
    """A file that a mail carries: how it is named, and what its bytes are."""
    content = part.get_payload(decode=True)
    return {"type": part.get_content_type(), "disposition": part.get_content_disposition(), "name": part.get_filename(),
            "cid": part.get("Content-ID"), "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def defects(message):
    """What the parser had to forgive, in the message, its parts and their headers."""
    return [f"{part.get_content_type()}: {defect!r}" for part in message.walk()
            for defect in [*part.defects, *(d for value in part.values() for d in value.defects)]]


class Keeper:
    """What aiosmtpd asks at each step, and the file of what was accepted."""

    def __init__(self, out, login):
        self.out = open(out, "a+", encoding="utf-8", buffering=1)
        if self.out.tell() > 0:
            self.out.write("\n")  # one before was killed, perhaps in the midst of a line
        self.login = login  # user and password, or None
        self.times = {}

    def misbehaves(self, how, address):
        """Whether this address asks for it: always ("defer@..."), or the first n times ("defer3-x@...")."""
        asked = re.match(rf"{how}(?:(\d+)-)?", address)
        if not asked or not asked.group(1):
            return asked is not None
        self.times[how, address] = self.times.get((how, address), 0) + 1
        return self.times[how, address] <= int(asked.group(1))

    async def auth_XOAUTH2(self, server, _args):
        """aiosmtpd knows PLAIN and LOGIN by itself; the token is the password."""
        said = await server.challenge_auth("")
        good = self.login and said == b"user=%s\x01auth=Bearer %s\x01\x01" % self.login
        return AuthResult(success=bool(good), handled=False, auth_data=said)

    async def handle_RCPT(self, _server, _session, envelope, address, _options):
        if address.startswith("reject"):
            return "550 5.1.1 no such user here"
        if self.misbehaves("defer", address):
            return "451 4.3.0 come back later"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        first = envelope.rcpt_tos[0]
        if first.startswith("refuse-data"):
            return "554 5.6.0 message refused"
        slow = re.match(r"slow(\d+)-", first)
        if slow:
            await asyncio.sleep(int(slow.group(1)) / 1000)
        self.keep(server, session, envelope)
        if self.misbehaves("drop", first):
            server.transport.abort()
        return "250 OK kept"

    def keep(self, server, session, envelope):
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        self.out.write(json.dumps({
            "at_ms": int(time.time() * 1000),
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "uuid": message.get("X-Millrace-Uuid"),
            "message_id": message.get("Message-ID"),
            "subject": message.get("Subject"),
            "headers": [[name, str(value)] for name, value in message.items()],
            "tls": server.transport.get_extra_info("sslcontext") is not None,
            "authenticated": session.authenticated,
            "peer": session.peer[1] if session.peer else None,
            "tree": tree(message),
            "parts": [[part.get_content_type(), part.get_content()] for part in message.walk()
                      if not part.is_multipart() and part.get_content_disposition() is None],
            "defects": defects(message),
            "files": [file(part) for part in message.walk() if part.get_content_disposition()],
            "raw": envelope.content.decode("utf-8", "replace"),
        }) + "\n")


def authenticator(user, password):
    def check(_server, _session, _envelope, _mechanism, given):
        good = (isinstance(given, LoginPassword) and given.login == user.encode()
                and given.password == password.encode())
        return AuthResult(success=good, handled=False)
    return check


def tls_context(options):
    if not options.cert:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(options.cert, options.key)
    return context


def parse(argv):
    parser = argparse.ArgumentParser(description="an SMTP server that keeps what it receives")
    parser.add_argument("--out", required=True)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--fd", type=int, help="a bound socket to listen on")
    parser.add_argument("--user")
    parser.add_argument("--password")
    parser.add_argument("--cert")
    parser.add_argument("--key")
    parser.add_argument("--tls", action="store_true", help="TLS from the first byte")
    parser.add_argument("--require-tls", action="store_true", help="nothing before STARTTLS")
    parser.add_argument("--forever", action="store_true", help="do not look at standard input")
    return parser.parse_args(argv)


def bound_socket(options):
    if options.fd is None:
        return socket.create_server((options.host, 0))
    listener = socket.socket(fileno=options.fd)
    listener.listen()
    return listener


async def serve(options):
    loop = asyncio.get_running_loop()
    keeper = Keeper(options.out, (options.user.encode(), options.password.encode()) if options.user else None)
    context = tls_context(options)
    settings = {"enable_SMTPUTF8": True, "decode_data": False, "data_size_limit": 64 * 1024 * 1024}
    if options.user:
        settings.update(authenticator=authenticator(options.user, options.password),
                        auth_required=True, auth_require_tls=context is not None)
    if context and not options.tls:
        settings.update(tls_context=context, require_starttls=options.require_tls)
    listener = bound_socket(options)
    server = await loop.create_server(lambda: SMTP(keeper, loop=loop, **settings), sock=listener,
                                      ssl=context if options.tls else None)
    print(json.dumps({"port": listener.getsockname()[1]}), flush=True)
    if options.forever:
        await server.serve_forever()
    # Whoever started it holds its standard input: its end is ours.
    await loop.run_in_executor(None, sys.stdin.read)
    server.close()


if __name__ == "__main__":
    asyncio.run(serve(parse(sys.argv[1:])))

/*
 * A real HTTP server in the shape of S3 for the tests: it recomputes the signature of every request and link with Amazon's own
 * signer for JavaScript, sums every body, keeps objects as files, and misbehaves as its arguments ask for.
 *
 * Usage: node tests/peers/s3.js --out FILE --store DIR --modules DIR [--fd N] [--bucket NAME] [--key ID --secret S] [--token T]
 *                               [--region R] [--host-style BASE] [--cert FILE --tls-key FILE] [--adopt] [--fault FAULT]...
 *
 * With --fd it listens on an inherited socket that is bound already. Prints {"port": N} on standard output once it listens, then
 * serves until standard input ends. --modules is the folder in which npm has put @smithy/signature-v4. With --host-style the
 * bucket is looked for before BASE in the header Host, else as the first name of the path.
 *
 * PUT, GET (with Range and If-Match), HEAD, DELETE of objects; uploads in parts: begin, part, complete, abort, list. An object is in
 * DIR under its name, encoded; with --adopt what lies there from the start is one too; a part in DIR/.parts. Parts but the last must have 5 MiB, as at Amazon's.
 *
 * Faults, OPERATION=NAME or OPERATION=NAME:TIMES (else for ever): of an operation the first one that still has times left is used.
 * Operations: put, part, part<N>, initiate, complete, abort, list, get, head, delete, any.
 *     slowdown            503 SlowDown             fail            500 InternalError          denied     403 AccessDenied
 *     error200            200 with an InternalError in its body; nothing was done
 *     reset               the connection is reset when half of the body has come, or at once where there is none
 *     reset-after         carried out, then the connection is reset without an answer
 *     half                the connection is reset after half of the answer's body
 *     hang                no answer for ever       slow<ms>        answered after that time
 *     vanish              404 NoSuchUpload         damage          the body is taken as if a byte had changed on its way
 *
 * Each request becomes one JSON line in FILE, written before its answer: op, method, path (as sent), key (decoded), signed ("header",
 * "link" or false), status (null when there is none), error, bytes (of the body), effect (something was done), fault, upload, part, type
 * (Content-Type), range, port (the caller's: one for each connection).
 */
"use strict";

const crypto = require("crypto");
const fs = require("fs");
const http = require("http");
const https = require("https");
const path = require("path");
const { parseArgs } = require("util");

const PART_MIN = 5 * 1024 * 1024;
const SKEW_MS = 15 * 60 * 1000;
const MESSAGES = {
    AccessDenied: 403, BadDigest: 400, EntityTooSmall: 400, ExpiredToken: 400, IncompleteBody: 400, InternalError: 500,
    InvalidAccessKeyId: 403, InvalidPart: 400, InvalidPartOrder: 400, InvalidRange: 416, MalformedXML: 400,
    MethodNotAllowed: 405, NoSuchBucket: 404, NoSuchKey: 404, NoSuchUpload: 404, PreconditionFailed: 412,
    RequestTimeTooSkewed: 403, SignatureDoesNotMatch: 403, SlowDown: 503, XAmzContentSHA256Mismatch: 400,
};

const text = (value) => ({ type: "string", default: value });
const { values: options } = parseArgs({
    options: {
        out: text(), store: text(), modules: text(), fd: text(), bucket: text("shop"), key: text("AKIAEXAMPLE"),
        secret: text("s3cret/EXAMPLE+key"), token: text(), region: text("eu-central-1"), "host-style": text(), cert: text(),
        "tls-key": text(), fault: { type: "string", multiple: true, default: [] },
        adopt: { type: "boolean", default: false },
    },
});
const from = { paths: [path.resolve(options.modules)] };
const { SignatureV4 } = require(require.resolve("@smithy/signature-v4", from));
const { escapeUri } = require(require.resolve("@smithy/core/protocols", from));

/* ---- signatures ---- */

/* What the signer wants: SHA-256, or an HMAC of it where there is a secret. */
class Sum {
    constructor(secret) {
        this.sum = secret ? crypto.createHmac("sha256", secret) : crypto.createHash("sha256");
    }
    update(bytes) {
        this.sum.update(bytes);
    }
    async digest() {
        return new Uint8Array(this.sum.digest());
    }
}

const signer = new SignatureV4({
    service: "s3", region: options.region, sha256: Sum, uriEscapePath: false,
    credentials: { accessKeyId: options.key, secretAccessKey: options.secret, sessionToken: options.token },
});

class Refusal extends Error {
    constructor(code, status) {
        super(code);
        this.code = code;
        this.status = status || MESSAGES[code];
    }
}

/* "20130524T000000Z" */
function readDate(value) {
    const found = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(value || "");
    if (!found)
        throw new Refusal("AccessDenied");
    const [year, month, ...rest] = found.slice(1).map(Number);
    return new Date(Date.UTC(year, month - 1, ...rest));
}

function checkCredential(credential) {
    const [key, , region, service, end] = credential.split("/");
    if (key !== options.key)
        throw new Refusal("InvalidAccessKeyId");
    if (region !== options.region || service !== "s3" || end !== "aws4_request")
        throw new Refusal("AuthorizationHeaderMalformed", 400);
}

/* The path as whoever knows the key alone would spell it. */
function spelled(ask) {
    return ask.rawPath.split("/").map((name) => escapeUri(decodeURIComponent(name))).join("/");
}

async function checkHeader(ask) {
    const found = /^AWS4-HMAC-SHA256 Credential=([^,]+), ?SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})$/
        .exec(ask.headers.authorization);
    if (!found)
        throw new Refusal("AuthorizationHeaderMalformed", 400);
    const [, credential, names, signature] = found;
    checkCredential(credential);
    if ((ask.headers["x-amz-security-token"] || "") !== (options.token || ""))
        throw new Refusal("InvalidToken", 400);
    const date = readDate(ask.headers["x-amz-date"]);
    if (Math.abs(Date.now() - date) > SKEW_MS)
        throw new Refusal("RequestTimeTooSkewed");
    const listed = names.split(";");
    const must = ["host", ...Object.keys(ask.headers).filter((name) => name.startsWith("x-amz-") || name === "content-type")];
    if (must.some((name) => !listed.includes(name)))
        throw new Refusal("AccessDenied");
    const headers = Object.fromEntries(listed.map((name) => [name, ask.headers[name]]));
    const made = await signer.sign({ method: ask.method, path: spelled(ask), query: ask.query, headers },
        { signingDate: date });
    if (!made.headers.authorization.endsWith(`SignedHeaders=${names}, Signature=${signature}`))
        throw new Refusal("SignatureDoesNotMatch");
    return "header";
}

async function checkLink(ask) {
    const rest = Object.fromEntries(Object.entries(ask.query).filter(([name]) => !name.startsWith("X-Amz-")));
    const date = readDate(ask.query["X-Amz-Date"]);
    const seconds = Number(ask.query["X-Amz-Expires"]);
    checkCredential(ask.query["X-Amz-Credential"] || "");
    const made = await signer.presign(
        { method: ask.method, path: spelled(ask), query: rest, headers: { host: ask.headers.host }, body: {} },
        { signingDate: date, expiresIn: seconds });
    if (made.query["X-Amz-Signature"] !== ask.query["X-Amz-Signature"])
        throw new Refusal("SignatureDoesNotMatch");
    if (!(seconds >= 1 && seconds <= 604800) || Date.now() > date.getTime() + seconds * 1000)
        throw new Refusal("AccessDenied");
    return "link";
}

function checkSignature(ask) {
    if (ask.query["X-Amz-Signature"])
        return checkLink(ask);
    if (ask.headers.authorization)
        return checkHeader(ask);
    throw new Refusal("AccessDenied");
}

/* ---- what is asked for ---- */

function readAsk(request) {
    const [rawPath, ...rest] = request.url.split("?");
    const query = {};
    for (const pair of rest.join("?").split("&").filter(Boolean)) {
        const [name, ...value] = pair.split("=");
        query[decodeURIComponent(name)] = decodeURIComponent(value.join("="));
    }
    const ask = { request, socket: request.socket, method: request.method, rawPath, query, headers: request.headers };
    ask.port = request.socket.remotePort;
    let names = decodeURIComponent(rawPath).slice(1);
    if (options["host-style"]) {
        const host = (ask.headers.host || "").split(":")[0];
        ask.bucket = host.endsWith("." + options["host-style"]) ? host.slice(0, -options["host-style"].length - 1) : "";
    } else {
        [ask.bucket, ...names] = names.split("/");
        names = names.join("/");
    }
    ask.key = names;
    ask.upload = query.uploadId;
    ask.part = query.partNumber && Number(query.partNumber);
    ask.op = operation(ask);
    return ask;
}

function operation({ method, query, key }) {
    if (method === "PUT")
        return query.partNumber ? "part" : "put";
    if (method === "POST")
        return "uploads" in query ? "initiate" : "complete";
    if (method === "DELETE")
        return query.uploadId ? "abort" : "delete";
    if (method === "GET" && !key && "uploads" in query)
        return "list";
    return method.toLowerCase();
}

const faults = options.fault.map((one) => {
    const [, op, name, times] = /^([a-z]+\d*)=([a-z0-9-]+?)(?::(\d+))?$/.exec(one);
    return { op, name, left: times ? Number(times) : Infinity };
});

function faultOf(ask) {
    const found = faults.find(({ op, left }) => left > 0 && [ask.op, ask.op + (ask.part || ""), "any"].includes(op));
    if (found)
        found.left--;
    return found ? found.name : null;
}

/* ---- bodies ---- */

/* The body goes to a file of its own: its name, its length and its sums. */
async function takeBody(ask) {
    const file = path.join(options.store, ".parts", crypto.randomUUID());
    const length = Number(ask.headers["content-length"] || 0);
    const sums = { sha256: crypto.createHash("sha256"), md5: crypto.createHash("md5") };
    const out = fs.openSync(file, "w");
    let bytes = 0;
    try {
        for await (const piece of ask.request) {
            if (ask.fault === "reset" && bytes + piece.length > length / 2)
                throw new Refusal("reset");
            if (ask.fault === "damage" && bytes === 0)
                piece[0] ^= 1;
            Object.values(sums).forEach((sum) => sum.update(piece));
            fs.writeSync(out, piece);
            bytes += piece.length;
        }
    } catch (error) {
        fs.rmSync(file);
        throw error;
    } finally {
        fs.closeSync(out);
        ask.bytes = bytes;
    }
    return { file, bytes, sha256: sums.sha256.digest("hex"), md5: sums.md5.digest("hex") };
}

function checkBody(ask, body) {
    const said = ask.headers["x-amz-content-sha256"];
    if (ask.signed === "header" && !said)
        throw new Refusal("AccessDenied");
    if (said && said !== "UNSIGNED-PAYLOAD" && said !== body.sha256)
        throw new Refusal("XAmzContentSHA256Mismatch");
}

/* ---- objects and uploads ---- */

const objects = new Map(); /* key -> { file, bytes, etag, type } */
const uploads = new Map(); /* id -> { key, parts: number -> body, type } */

/* What lies in the store when we begin. */
function adopt(entry) {
    const file = path.join(options.store, entry.name);
    const bytes = fs.readFileSync(file);
    const etag = `"${crypto.createHash("md5").update(bytes).digest("hex")}"`;

    objects.set(decodeURIComponent(entry.name), { file, bytes: bytes.length, etag, type: "application/octet-stream" });
}

const placeOf = (key) => path.join(options.store, encodeURIComponent(key));

function keep(key, file, bytes, etag, type) {
    fs.renameSync(file, placeOf(key));
    objects.set(key, { file: placeOf(key), bytes, etag, type });
}

function uploadOf(ask) {
    const upload = uploads.get(ask.upload);
    if (!upload || upload.key !== ask.key)
        throw new Refusal("NoSuchUpload");
    return upload;
}

function discard(id) {
    Object.values(uploads.get(id).parts).forEach(({ file }) => fs.rmSync(file, { force: true }));
    uploads.delete(id);
}

const escaped = (value) => value.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;").replace(/"/g, "&quot;");
const xml = (name, inside) => `<?xml version="1.0" encoding="UTF-8"?>\n<${name}>${inside}</${name}>`;

/* The parts that are listed must be there, in order, with their etags, and large enough. */
function partsOf(upload, body) {
    const listed = [...body.matchAll(/<Part>\s*<PartNumber>(\d+)<\/PartNumber>\s*<ETag>(.*?)<\/ETag>\s*<\/Part>/g)];
    if (listed.length === 0)
        throw new Refusal("MalformedXML");
    return listed.map(([, number, etag], i) => {
        const part = upload.parts[number];
        if (i > 0 && Number(number) <= Number(listed[i - 1][1]))
            throw new Refusal("InvalidPartOrder");
        if (!part || etag.replace(/&quot;/g, '"') !== `"${part.md5}"`)
            throw new Refusal("InvalidPart");
        if (i < listed.length - 1 && part.bytes < PART_MIN)
            throw new Refusal("EntityTooSmall");
        return part;
    });
}

function complete(ask, body) {
    const upload = uploadOf(ask);
    const parts = partsOf(upload, fs.readFileSync(body.file, "utf8"));
    const sum = crypto.createHash("md5");
    const [first, ...others] = parts;
    for (const part of parts)
        sum.update(Buffer.from(part.md5, "hex"));
    for (const part of others)
        fs.appendFileSync(first.file, fs.readFileSync(part.file));
    const bytes = parts.reduce((all, part) => all + part.bytes, 0);
    const etag = `"${sum.digest("hex")}-${parts.length}"`;
    keep(ask.key, first.file, bytes, etag, upload.type);
    discard(ask.upload);
    return { status: 200, body: xml("CompleteMultipartUploadResult", `<Key>${escaped(ask.key)}</Key><ETag>${escaped(etag)}</ETag>`) };
}

function list(ask) {
    const found = [...uploads].filter(([, { key }]) => key.startsWith(ask.query.prefix || ""));
    const inside = found.map(([id, { key }]) => `<Upload><Key>${escaped(key)}</Key><UploadId>${id}</UploadId></Upload>`);
    return { status: 200, body: xml("ListMultipartUploadsResult", inside.join("")) };
}

function objectOf(ask) {
    const object = objects.get(ask.key);
    if (!object)
        throw new Refusal("NoSuchKey");
    if (ask.headers["if-match"] && ask.headers["if-match"] !== object.etag)
        throw new Refusal("PreconditionFailed");
    return object;
}

function show(ask) {
    const object = objectOf(ask);
    const range = /^bytes=(\d+)-$/.exec(ask.headers.range || "");
    const start = range ? Number(range[1]) : 0;
    if (start > 0 && start >= object.bytes)
        throw new Refusal("InvalidRange");
    return {
        status: range ? 206 : 200, file: object.file, start, bytes: object.bytes - start,
        headers: { ETag: object.etag, "Content-Type": object.type || "binary/octet-stream" },
    };
}

const actions = {
    put(ask, body) {
        keep(ask.key, body.file, body.bytes, `"${body.md5}"`, ask.headers["content-type"]);
        return { status: 200, headers: { ETag: `"${body.md5}"` } };
    },
    initiate(ask) {
        ask.upload = crypto.randomBytes(24).toString("base64"); /* with what a query must spell otherwise */
        uploads.set(ask.upload, { key: ask.key, parts: {}, type: ask.headers["content-type"] });
        return { status: 200, body: xml("InitiateMultipartUploadResult", `<UploadId>${escaped(ask.upload)}</UploadId>`) };
    },
    part(ask, body) {
        const upload = uploadOf(ask), before = upload.parts[ask.part];
        if (before)
            fs.rmSync(before.file);
        upload.parts[ask.part] = body;
        return { status: 200, headers: { ETag: `"${body.md5}"` } };
    },
    complete,
    abort(ask) {
        uploadOf(ask);
        discard(ask.upload);
        return { status: 204 };
    },
    list,
    get: show,
    head: show,
    delete(ask) {
        if (objects.has(ask.key))
            fs.rmSync(objects.get(ask.key).file);
        objects.delete(ask.key);
        return { status: 204 };
    },
};

/* ---- answers ---- */

const EFFECTS = ["put", "initiate", "part", "complete", "abort", "delete"];
const SAID = { slowdown: "SlowDown", fail: "InternalError", denied: "AccessDenied", vanish: "NoSuchUpload" };

function refusalOf(error) {
    const region = error.code === "AuthorizationHeaderMalformed" ? `<Region>${options.region}</Region>` : "";
    return { status: error.status, error: error.code, body: xml("Error", `<Code>${error.code}</Code><Message>no</Message>${region}`) };
}

function carryOut(ask, body) {
    if (SAID[ask.fault])
        throw new Refusal(SAID[ask.fault]);
    if (ask.fault === "reset")
        throw new Refusal("reset");
    checkBody(ask, body);
    if (ask.fault === "error200")
        return refusalOf(new Refusal("InternalError", 200));
    if (!actions[ask.op])
        throw new Refusal("MethodNotAllowed");
    const answer = actions[ask.op](ask, body);
    ask.effect = EFFECTS.includes(ask.op);
    return answer;
}

async function act(ask) {
    ask.signed = await checkSignature(ask);
    if (ask.bucket !== options.bucket)
        throw new Refusal("NoSuchBucket");
    const body = await takeBody(ask);
    try {
        return carryOut(ask, body);
    } finally {
        if (!(ask.op === "part" && ask.effect))
            fs.rmSync(body.file, { force: true }); /* unless it has a name by now */
    }
}

function note(ask, answer) {
    fs.appendFileSync(options.out, JSON.stringify({
        op: ask.op, method: ask.method, path: ask.request.url, key: ask.key, signed: ask.signed || false,
        status: answer ? answer.status : null, error: (answer && answer.error) || null, bytes: ask.bytes || 0,
        effect: ask.effect || false, fault: ask.fault, upload: ask.upload, part: ask.part,
        type: ask.headers["content-type"], range: ask.headers.range, port: ask.port,
    }) + "\n");
}

function send(ask, response, answer) {
    const content = answer.body || "";
    const bytes = answer.file ? answer.bytes : Buffer.byteLength(content);
    response.writeHead(answer.status, { ...answer.headers, ...(answer.status === 204 ? {} : { "Content-Length": bytes }) });
    if (ask.method === "HEAD" || answer.status === 204) {
        response.end();
    } else if (ask.fault === "half") {
        const half = answer.start + Math.floor(bytes / 2);
        fs.createReadStream(answer.file, { start: answer.start, end: half - 1 })
            .on("data", (piece) => response.write(piece))
            .on("end", () => setTimeout(() => ask.socket.resetAndDestroy(), 100));
    } else if (answer.file && bytes > 0) {
        fs.createReadStream(answer.file, { start: answer.start }).pipe(response);
    } else {
        response.end(content);
    }
}

async function serve(request, response) {
    const ask = readAsk(request);
    ask.fault = faultOf(ask);
    let answer;
    try {
        answer = await act(ask);
    } catch (error) {
        if (error.code !== "reset" && !(error instanceof Refusal)) {
            note(ask, null); /* the caller went away, or a fault of this program's own */
            if (!["ECONNRESET", "ERR_STREAM_PREMATURE_CLOSE"].includes(error.code))
                console.error(error);
            return ask.socket.destroy();
        }
        answer = error.code === "reset" ? null : refusalOf(error);
    }
    if (["reset-after", "hang"].includes(ask.fault))
        answer = null;
    note(ask, answer);
    if (answer && /^slow/.test(ask.fault || "") && ask.fault !== "slowdown")
        await new Promise((done) => setTimeout(done, Number(ask.fault.slice(4))));
    if (answer)
        return send(ask, response, answer);
    if (ask.fault !== "hang")
        ask.socket.resetAndDestroy();
}

fs.mkdirSync(path.join(options.store, ".parts"), { recursive: true });
if (options.adopt)
    fs.readdirSync(options.store, { withFileTypes: true }).filter((entry) => entry.isFile()).forEach(adopt);
const server = options.cert
    ? https.createServer({ cert: fs.readFileSync(options.cert), key: fs.readFileSync(options["tls-key"]) }, serve)
    : http.createServer(serve);
server.requestTimeout = 0;
server.listen(options.fd ? { fd: Number(options.fd) } : { host: "127.0.0.1", port: 0 },
    () => console.log(JSON.stringify({ port: server.address().port }).replace(":", ": ")));
process.stdin.on("end", () => process.exit(0)).resume();

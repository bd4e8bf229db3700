# SPDX-License-Identifier: Apache-2.0
"""A server of the S3 protocol in memory, for what a real one does not do on demand: it checks every
signature and digest, knows conditions on writes, and fails as it is told.

    with Stub() as stub:
        stub.fault("PUT", "/latest", Answer(503, "SlowDown"), times=2)
        ...
        stub.requests      # what came, in order
        stub.objects       # {key: bytes}

A fault acts on the next `times` requests of that method whose path (with its query) the pattern
finds. `Answer` refuses; `CLOSE` breaks the connection before anything is done, `LOST` after it was
done and before the answer, `HALF` in the middle of the answer's body; `FLIP` changes a bit of the
body of the answer, `FLIP_IN` one of what arrived, before it is looked at; `Pause(s)` waits;
`Drip(s)` sends the answer's body in eight pieces, so long after each other."""

import collections
import hashlib
import hmac
import http.server
import re
import ssl
import threading
import time
import urllib.parse
from xml.sax.saxutils import escape
import xml.etree.ElementTree as ElementTree

KEY, SECRET, TOKEN = "stub-user", "stub/secret+1", "stub-token"

Answer = collections.namedtuple("Answer", "status code message", defaults=("stub",))
Pause = collections.namedtuple("Pause", "seconds")
Drip = collections.namedtuple("Drip", "seconds")
CLOSE, LOST, HALF, FLIP, FLIP_IN = "close", "lost", "half", "flip", "flip-in"
Request = collections.namedtuple("Request", "method path query headers sent received")


class Refused(Exception):
    def __init__(self, status, code, message="stub"):
        super().__init__(code)
        self.status, self.code, self.message = status, code, message


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def flipped(data):
    return bytes([data[0] ^ 1]) + data[1:] if data else data


def check_signature(stub, method, target, headers, body):
    """AWS Signature Version 4, worked out anew from what arrived."""
    given = headers.get("Authorization", "")
    found = re.fullmatch(r"AWS4-HMAC-SHA256 Credential=([^/]+)/(\d{8})/([^/]+)/s3/aws4_request, ?"
                         r"SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})", given)
    if not found:
        raise Refused(403, "AccessDenied")
    user, day, region, names, signature = found.groups()
    names = names.split(";")
    if user != stub.user:
        raise Refused(403, "InvalidAccessKeyId")
    if not {"host", "x-amz-content-sha256", "x-amz-date"} <= set(names) or region != "us-east-1":
        raise Refused(403, "SignatureDoesNotMatch")
    path, _, query = target.partition("?")
    query = "&".join(sorted(part if "=" in part else part + "="
                            for part in query.split("&"))) if query else ""
    lines = [f"{name}:{' '.join(headers.get(name, '').split())}" for name in names]
    claimed = headers["x-amz-content-sha256"]
    request = "\n".join([method, path, query] + lines + ["", ";".join(names), claimed])
    scope = f"{day}/{region}/s3/aws4_request"
    text = "\n".join(["AWS4-HMAC-SHA256", headers["x-amz-date"], scope, sha256(request.encode())])
    key = b"AWS4" + stub.secret.encode()
    for part in (day, region, "s3", "aws4_request"):
        key = hmac.new(key, part.encode(), "sha256").digest()
    if hmac.new(key, text.encode(), "sha256").hexdigest() != signature:
        raise Refused(403, "SignatureDoesNotMatch")
    if claimed != sha256(body):
        raise Refused(400, "XAmzContentSHA256Mismatch")


class Stub:
    def __init__(self, conditions=True, token=False, bucket="bucket", user=KEY, secret=SECRET,
                 certificate=None):
        self.conditions, self.token = conditions, token
        self.bucket, self.user, self.secret = bucket, user, secret
        self.objects, self.uploads, self.requests, self.faults = {}, {}, [], []
        self.busy = 0  # requests under way
        self.page = 1000  # objects, uploads or parts of one answer
        self.circle = 0  # so many pages of a listing of objects follow each other, and begin anew
        self.etag = lambda data: '"' + hashlib.md5(data).hexdigest() + '"'  # of objects; None: none
        self.hook = None  # called with (method, path) before a request is answered
        self.lock = threading.RLock()
        handler = type("Handler", (Handler,), {"stub": self})
        self.server = Server(("127.0.0.1", 0), handler)
        self.scheme = "http"
        if certificate:  # a file with it and its key
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
            self.scheme = "https"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *unused):
        self.server.shutdown()
        self.server.server_close()

    @property
    def url(self):
        return f"{self.scheme}://127.0.0.1:{self.server.server_address[1]}"

    def environment(self):
        variables = {"AWS_ACCESS_KEY_ID": self.user, "AWS_SECRET_ACCESS_KEY": self.secret,
                     "AWS_REGION": "us-east-1", "AWS_ENDPOINT_URL_S3": self.url}
        return {**variables, "AWS_SESSION_TOKEN": TOKEN} if self.token else variables

    def fault(self, method, pattern, action, times=1):
        self.faults.append([method, pattern, action, times])

    def settle(self):
        """Wait until requests that are under way are through."""
        while self.busy:
            time.sleep(0.005)

    def take_fault(self, method, target):
        with self.lock:
            for fault in self.faults:
                if fault[0] == method and re.search(fault[1], target) and fault[3] > 0:
                    fault[3] -= 1
                    return fault[2]
        return None

    def parts_of(self, key):
        """The parts that are there of uploads of a key: {number: bytes}."""
        return {number: data for upload in self.uploads.values() if upload["key"] == key
                for number, data in upload["parts"].items()}


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request, client_address):
        pass  # connections that a client broke


def etag(data):
    return '"' + hashlib.md5(data).hexdigest() + '"'


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    stub = None

    def log_message(self, *unused):
        pass

    def do_any(self):
        with self.stub.lock:
            self.stub.busy += 1
        try:
            self.do_one()
        finally:
            with self.stub.lock:
                self.stub.busy -= 1

    def do_one(self):
        length = int(self.headers.get("Content-Length", 0))
        body = self.rfile.read(length)
        fault = self.stub.take_fault(self.command, self.path)
        if self.stub.hook:
            self.stub.hook(self.command, self.path)
        if isinstance(fault, Pause):
            time.sleep(fault.seconds)
        if fault == CLOSE:
            self.note(body, b"")
            self.close_connection = True
            return
        if fault == FLIP_IN:
            body = flipped(body)
        try:
            if isinstance(fault, Answer):
                raise Refused(fault.status, fault.code, fault.message)
            check_signature(self.stub, self.command, self.path, self.headers, body)
            if self.stub.token and self.headers.get("x-amz-security-token") != TOKEN:
                raise Refused(403, "InvalidToken")
            with self.stub.lock:
                status, headers, answer = self.answer(body)
        except Refused as refused:
            status, headers = refused.status, {}
            answer = (f"<?xml version='1.0'?><Error><Code>{refused.code}</Code>"
                      f"<Message>{refused.message}: {refused.code}</Message></Error>").encode()
        self.note(body, answer)
        if fault == LOST:
            self.close_connection = True
            return
        if fault == FLIP:
            answer = flipped(answer)
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if "Content-Length" not in headers:
            self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        if self.command != "HEAD":
            if fault == HALF:
                answer = answer[:len(answer) // 2]
                self.close_connection = True
            if isinstance(fault, Drip):
                piece = len(answer) // 8 + 1
                for at in range(0, len(answer), piece):
                    time.sleep(fault.seconds)
                    self.wfile.write(answer[at:at + piece])
            else:
                self.wfile.write(answer)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = do_any

    def note(self, body, answer):
        path, _, query = self.path.partition("?")
        sent = 0 if self.command == "HEAD" else len(answer)
        with self.stub.lock:
            self.stub.requests.append(Request(self.command, urllib.parse.unquote(path), query,
                                              dict(self.headers), sent, len(body)))

    # --- the protocol ---

    def answer(self, body):
        path, _, query = self.path.partition("?")
        query = dict(urllib.parse.parse_qsl(query, keep_blank_values=True))
        _, bucket, *rest = urllib.parse.unquote(path).split("/", 2)
        key = rest[0] if rest else ""
        if bucket != self.stub.bucket:
            raise Refused(404, "NoSuchBucket")
        call = getattr(self, f"{self.command.lower()}_{'object' if key else 'bucket'}", None)
        if call is None:
            raise Refused(405, "MethodNotAllowed")
        return call(key, query, body)

    def get_bucket(self, _, query, __):
        if "uploads" in query:
            return self.list_uploads(query)
        if query.get("list-type") != "2" or query.get("delimiter") != "/":
            raise Refused(400, "InvalidArgument")
        prefix, after = query["prefix"], query.get("continuation-token", "")
        if self.stub.circle:
            following = (int(after or -1) + 1) % self.stub.circle
            return self.xml("ListBucketResult", "<IsTruncated>true</IsTruncated>"
                            f"<NextContinuationToken>{following}</NextContinuationToken>")
        keys = sorted(key for key in self.stub.objects
                      if key.startswith(prefix) and "/" not in key[len(prefix):] and key > after)
        page, more = keys[:self.stub.page], len(keys) > self.stub.page
        text = "".join(f"<Contents><Key>{escape(key)}</Key>"
                       f"<Size>{len(self.stub.objects[key])}</Size></Contents>" for key in page)
        token = f"<NextContinuationToken>{escape(page[-1])}</NextContinuationToken>" if more else ""
        return self.xml("ListBucketResult", f"<IsTruncated>{str(more).lower()}</IsTruncated>"
                                            f"{token}{text}")

    def list_uploads(self, query):
        after = (query.get("key-marker", ""), query.get("upload-id-marker", ""))
        found = sorted((upload["key"], name) for name, upload in self.stub.uploads.items()
                       if upload["key"].startswith(query["prefix"])
                       and (upload["key"], name) > after)
        page, more = found[:self.stub.page], len(found) > self.stub.page
        text = "".join(f"<Upload><Key>{escape(key)}</Key><UploadId>{escape(name)}</UploadId>"
                       "<Initiator><ID>x</ID></Initiator></Upload>" for key, name in page)
        if more:
            text += (f"<NextKeyMarker>{escape(page[-1][0])}</NextKeyMarker>"
                     f"<NextUploadIdMarker>{escape(page[-1][1])}</NextUploadIdMarker>")
        return self.xml("ListMultipartUploadsResult",
                        f"<IsTruncated>{str(more).lower()}</IsTruncated>{text}")

    def get_object(self, key, query, _):
        if "uploadId" in query:
            return self.list_parts(key, query)
        if key not in self.stub.objects:
            raise Refused(404, "NoSuchKey")
        data = self.stub.objects[key]
        self.check_match(data)
        found = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        if not found:
            return 200, self.etag_of(data), data
        begin, end = int(found.group(1)), min(int(found.group(2)) + 1, len(data))
        if begin >= len(data):
            raise Refused(416, "InvalidRange")
        return 206, {**self.etag_of(data),
                     "Content-Range": f"bytes {begin}-{end - 1}/{len(data)}"}, data[begin:end]

    def head_object(self, key, _, __):
        if key not in self.stub.objects:
            return 404, {"Content-Length": "0"}, b""
        data = self.stub.objects[key]
        return 200, {**self.etag_of(data), "Content-Length": str(len(data))}, b""

    def etag_of(self, data):
        tag = self.stub.etag(data)
        return {"ETag": tag} if tag else {}

    def check_match(self, data):
        """Weak tags match nothing."""
        match, tag = self.headers.get("If-Match"), self.stub.etag(data)
        if match and (match != tag or match.startswith("W/")):
            raise Refused(412, "PreconditionFailed")

    def check_conditions(self, key):
        there = self.stub.objects.get(key)
        match, none_match = self.headers.get("If-Match"), self.headers.get("If-None-Match")
        if (match or none_match) and not self.stub.conditions:
            raise Refused(501, "NotImplemented")
        if none_match == "*" and there is not None:
            raise Refused(412, "PreconditionFailed")
        if match and there is None:
            raise Refused(404, "NoSuchKey")
        if match:
            self.check_match(there)

    def put_object(self, key, query, body):
        if "partNumber" in query:
            upload = self.upload(key, query)
            upload["parts"][int(query["partNumber"])] = body
            return 200, {"ETag": etag(body)}, b""
        self.check_conditions(key)
        self.stub.objects[key] = body
        return 200, {"ETag": etag(body)}, b""

    def delete_object(self, key, query, _):
        if "uploadId" in query:
            self.upload(key, query)
            del self.stub.uploads[query["uploadId"]]
        else:
            self.stub.objects.pop(key, None)
        return 204, {}, b""

    def post_object(self, key, query, body):
        if "uploads" in query:
            name = f"upload-{len(self.stub.requests):06d}-a/b+c"
            self.stub.uploads[name] = {"key": key, "parts": {}}
            return self.xml("InitiateMultipartUploadResult",
                            f"<UploadId>{escape(name)}</UploadId>")
        upload = self.upload(key, query)
        parts = []
        for part in ElementTree.fromstring(body):
            number = int(part.findtext("PartNumber"))
            data = upload["parts"].get(number)
            if data is None or part.findtext("ETag") != etag(data):
                raise Refused(400, "InvalidPart")
            parts.append(data)
        if any(len(part) < 5 << 20 for part in parts[:-1]):
            raise Refused(400, "EntityTooSmall")
        self.check_conditions(key)
        self.stub.objects[key] = b"".join(parts)
        del self.stub.uploads[query["uploadId"]]
        return self.xml("CompleteMultipartUploadResult", "<ETag>\"many-2\"</ETag>")

    def upload(self, key, query):
        upload = self.stub.uploads.get(query["uploadId"])
        if upload is None or upload["key"] != key:
            raise Refused(404, "NoSuchUpload")
        return upload

    def list_parts(self, key, query):
        upload = self.upload(key, query)
        after = int(query.get("part-number-marker", 0))
        numbers = sorted(number for number in upload["parts"] if number > after)
        page, more = numbers[:self.stub.page], len(numbers) > self.stub.page
        text = "".join(f"<Part><PartNumber>{number}</PartNumber>"
                       f"<ETag>{escape(etag(upload['parts'][number]))}</ETag>"
                       f"<Size>{len(upload['parts'][number])}</Size></Part>" for number in page)
        if more:
            text += f"<NextPartNumberMarker>{page[-1]}</NextPartNumberMarker>"
        return self.xml("ListPartsResult", f"<IsTruncated>{str(more).lower()}</IsTruncated>{text}")

    @staticmethod
    def xml(name, text):
        return 200, {}, (f'<?xml version="1.0"?><{name} xmlns="http://s3.amazonaws.com/doc/'
                         f'2006-03-01/">{text}</{name}>').encode()

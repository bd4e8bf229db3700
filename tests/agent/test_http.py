#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The agent's port: what is answered, to whom, and what is not: parts of archives, tokens, requests
that are slow, too large or malformed, paths that lead elsewhere, 500 at once; and in a browser a
curve that moves."""

import base64
import concurrent.futures
import hashlib
import html
import http.client
import http.server
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

TOP = Path(os.environ["top_srcdir"])
sys.path[:0] = [str(TOP / "tests" / "support"), str(TOP / "tests" / "schema")]
import validate  # noqa: E402
from agent_client import WAIT_S, Agent  # noqa: E402
from tap import Tap  # noqa: E402

SNAP = os.environ["SNAP"]
TOKEN = "a token with spaces: and a colon"
STEP = "/runs/run/snapshots/step-0000000006.snap.tar"


class Port:
    """The port of an agent, as its second line says."""

    def __init__(self, agent):
        line = agent.process.stdout.readline()
        agent.said.append(line)
        found = re.match(r"listening on http://127\.0\.0\.1:(\d+)/$", line)
        self.number = int(found.group(1))

    def get(self, path, method="GET", body=None, **headers):
        """(status, headers, bytes)"""
        connection = http.client.HTTPConnection("127.0.0.1", self.number, timeout=WAIT_S)
        try:
            connection.putrequest(method, path, skip_host="Host" in headers)
            if body is not None:
                connection.putheader("Content-Length", str(len(body)))
            for name, value in headers.items():
                connection.putheader(name.replace("_", "-"), value)
            connection.endheaders(body)
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()
        finally:
            connection.close()

    def raw(self, data, patience=WAIT_S):
        """What comes back until the other side closes."""
        with socket.create_connection(("127.0.0.1", self.number), timeout=patience) as one:
            said = b""
            try:
                one.sendall(data)
                while True:
                    more = one.recv(65536)
                    if not more:
                        return said
                    said += more
            except (ConnectionResetError, BrokenPipeError):
                return said


def settled(agent, files):
    """Its descriptors, when those of closed connections are gone."""
    end = time.monotonic() + WAIT_S
    while agent.files() != files and time.monotonic() < end:
        time.sleep(0.05)
    return agent.files()


# ---- what is answered ----

def check_answers(tap, port):
    schemas = validate.all_schemas()
    checker = validate.validator("agent-http", schemas)
    for path, says in (("/runs", "sweep/seed-1"), ("/runs/run", "step-0000000006.snap.tar"),
                       ("/runs/sweep/seed-1", "seed-1"), ("/runs/run/receipts", "exact")):
        status, headers, body = port.get(path)
        tap.ok(status == 200 and headers["Content-Type"] == "application/json" and
               says in body.decode(), f"{path} is answered", status, body)
        tap.empty(validate.problems(checker, validate.parse(body.decode())), f"{path} is valid")
    status, headers, body = port.get("/runs/run")
    tap.ok(b'"state":"done"' in body and b'"step":12' in body, "the run is done", body)
    status, headers, body = port.get("/")
    tap.ok(status == 200 and b'<a href="/runs/sweep/seed-1/report">' in body and
           b"odd &#38; &#60;b&#62;" in body and b"/runs/odd%20%26%20%3Cb%3E/report" in body,
           "the first page names the runs", body)
    tap.ok(headers["Refresh"] == "2", "and is asked for again")
    for header in ("Content-Security-Policy", "X-Content-Type-Options", "Cache-Control"):
        tap.ok(header in headers, f"with {header}")
    status, headers, body = port.get("/runs/run/report")
    tap.ok(status == 200 and b'class="run"' in body and "Refresh" not in headers,
           "the page of a run that is done, which moves no more", headers)
    status, _, body = port.get("/runs/odd%20%26%20%3Cb%3E/report")
    tap.ok(status == 200 and b"odd &#38; &#60;b&#62;" in body, "the page of an odd name")
    status, headers, body = port.get("/metrics")
    lines = [line for line in body.decode().splitlines() if not line.startswith("#")]
    tap.ok(status == 200 and headers["Content-Type"].startswith("text/plain; version=0.0.4") and
           all(re.fullmatch(r'snap_\w+(\{\w+="(\\.|[^"\\])*"\})? [-+.e\d]+', line)
               for line in lines), "metrics in Prometheus's format", body)
    tap.ok('snap_agent_saves_total{run="run"} 3' in lines and
           'snap_run_step{run="sweep/seed-1"} 12' in lines and
           'snap_agent_memory_limit_bytes 67108864' in lines, "with saves, steps and memory", body)
    tap.ok(port.get("/healthz")[0::2] == (200, b"ok\n"), "/healthz")
    status, headers, body = port.get("/runs", method="HEAD")
    tap.ok(status == 200 and body == b"" and int(headers["Content-Length"]) > 100, "HEAD")
    connection = http.client.HTTPConnection("127.0.0.1", port.number, timeout=WAIT_S)
    for _ in range(3):
        connection.request("GET", "/runs")
        answer = connection.getresponse()
        answer.read()
    tap.ok(answer.status == 200 and connection.sock is not None, "three on one connection")
    connection.close()


def check_parts(tap, port, root):
    data = (root / STEP[len("/runs/"):]).read_bytes()
    size = len(data)
    status, headers, body = port.get(STEP)
    etag = headers["ETag"]
    tap.ok(status == 200 and body == data and headers["Accept-Ranges"] == "bytes" and
           headers["Content-Type"] == "application/x-tar", "an archive, whole")
    for text, first, last in (("bytes=0-0", 0, 0), ("bytes=0-99", 0, 99), ("bytes=512-", 512, None),
                              ("bytes=-1000", size - 1000, None), (f"bytes=-{size * 2}", 0, None),
                              (f"bytes={size - 1}-{size * 9}", size - 1, None)):
        last = size - 1 if last is None else last
        status, headers, body = port.get(STEP, Range=text)
        tap.ok(status == 206 and body == data[first:last + 1] and
               headers["Content-Range"] == f"bytes {first}-{last}/{size}", f"the part {text}",
               status, headers)
    for text in (f"bytes={size}-", "bytes=-0", f"bytes={size + 5}-{size + 9}"):
        status, headers, body = port.get(STEP, Range=text)
        tap.ok(status == 416 and headers["Content-Range"] == f"bytes */{size}" and body == b"",
               f"no part {text}", status, headers)
    for text in ("bytes=5-2", "bytes=0-1,5-9", "lines=0-1", "bytes=", "bytes=a-b", "bytes=0-1x",
                 "bytes=99999999999999999999-", "bytes=--5"):
        status, _, body = port.get(STEP, Range=text)
        tap.ok(status == 200 and body == data, f"the whole where {text} is not understood", status)
    status, _, body = port.get(STEP, Range="bytes=0-9", If_Range=etag)
    tap.ok(status == 206, "a part of the file that it was")
    status, _, body = port.get(STEP, Range="bytes=0-9", If_Range='"another"')
    tap.ok(status == 200 and body == data, "and the whole of one that it is no more")


def check_paths(tap, port):
    for path in ("/runs/../run", "/runs/run/../run", "/runs/run/snapshots/../latest",
                 "/runs/run/snapshots/%2e%2e/latest", "/runs/run/snapshots/..%2flatest",
                 "/runs/run/latest", "/runs/run/events.jsonl", "/runs/run/ledger.jsonl",
                 "/runs/run/config.json", "/runs/run/control", "/runs//run", "/runs/run//report",
                 "/runs/run/snapshots", "/runs/run/snapshots/",
                 "/runs/run/snapshots//step-0000000006.snap.tar",
                 "/runs/run/snapshots/step-0000000006.snap.tar/", "/runs/link", "/runs/.hidden",
                 "/runs/link" + STEP[9:], "/runs/run/snapshots/step-0000000007.snap.tar",
                 "/runs/run/snapshots/step-0000000012.snap.tar.tmp", "/etc/passwd", "//etc/passwd",
                 "/runs/%00", "/runs/run%00/x", "/runs/run/report/x", "/.snap-agent.lock", "/runs/",
                 "/runs/run/snapshots/step-6.snap.tar", "/runs/r", "/runs/runx", "/healthz/"):
        status, _, body = port.get(path)
        tap.ok(status == 404 and b"root:" not in body, f"nothing at {path}", status, body[:200])


# ---- requests that are none ----

def check_malformed(tap, port, agent, files):
    for method in ("POST", "PUT", "DELETE", "OPTIONS", "PATCH", "BREW"):
        status, headers, _ = port.get("/runs", method=method)
        tap.ok(status == 405 and headers["Allow"] == "GET, HEAD", f"{method} is refused", status)
    tap.ok(port.get("/runs", body=b"x" * 1000)[0] == 413, "a body is refused")
    said = port.raw(b"POST /runs HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000000000\r\n"
                    b"\r\n" + b"x" * 100000)
    tap.ok(said.startswith(b"HTTP/1.1 4"), "and none is waited for", said[:100])
    tap.ok(port.get("/runs", Host="evil.example")[0] == 403, "a name that is not ours")
    tap.ok(port.get("/runs", Host="localhost:1")[0] == 200, "localhost is")
    for name, data in (("nonsense", b"hello\r\n\r\n"), ("no version", b"GET /\r\n\r\n"),
                       ("another version", b"GET / HTTP/9.9\r\nHost: localhost\r\n\r\n"),
                       ("a long path", b"GET /" + b"a" * 100000 + b" HTTP/1.1\r\n\r\n"),
                       ("a long header", b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " +
                        b"a" * 100000 + b"\r\n\r\n"),
                       ("many headers", b"GET / HTTP/1.1\r\nHost: localhost\r\n" +
                        b"".join(b"X-%d: a\r\n" % i for i in range(10000)) + b"\r\n"),
                       ("bytes", bytes(range(256)) * 8), ("TLS", b"\x16\x03\x01\x02\x00\x01" * 50)):
        said = port.raw(data + b"\r\n\r\n")
        tap.ok(not said.startswith(b"HTTP/1.1 2") and agent.lives(), f"refused: {name}", said[:80])
    tap.ok(settled(agent, files) == files, "no descriptor is left", agent.files(), files)


def check_slow(tap, port, agent, files):
    """A byte now and then, for ever: until the agent hangs up."""
    idle = socket.create_connection(("127.0.0.1", port.number), timeout=WAIT_S)
    with socket.create_connection(("127.0.0.1", port.number), timeout=WAIT_S) as slow:
        end = time.monotonic() + WAIT_S
        closed = False
        slow.settimeout(0.2)
        slow.sendall(b"GET / HTTP/1.1\r\nX: ")
        while not closed and time.monotonic() < end:
            try:
                slow.sendall(b"a")
                closed = slow.recv(1000) == b""
            except socket.timeout:
                pass
            except OSError:
                closed = True
    tap.ok(closed, "who sends a byte now and then is hung up on")
    with idle:
        tap.ok(idle.recv(1000) == b"", "and who sends nothing")
    tap.ok(settled(agent, files) == files, "no descriptor is left")


def check_slow_reader(tap, port, agent, root, files):
    """An archive is asked for, and a byte of it taken now and then."""
    archive = root / "run" / "snapshots" / "step-0000000099.snap.tar"
    with open(archive, "wb") as file:
        file.truncate(256 << 20)
    with socket.socket() as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.settimeout(WAIT_S)
        slow.connect(("127.0.0.1", port.number))
        slow.sendall(b"GET /runs/run/snapshots/step-0000000099.snap.tar HTTP/1.1\r\n"
                     b"Host: localhost\r\n\r\n")
        begun = slow.recv(1).startswith(b"H")
        end = time.monotonic() + WAIT_S
        while begun and agent.files() > files and time.monotonic() < end:
            try:
                slow.recv(1)
            except OSError:
                break
            time.sleep(0.1)
        tap.ok(begun and settled(agent, files) == files, "who takes a byte now and then is hung "
               "up on, and its file is closed")
    archive.unlink()


def pages_made(port):
    return int(re.search(rb"^snap_agent_pages_total (\d+)$", port.get("/metrics")[2],
                         re.MULTILINE).group(1))


def check_pages(tap, port, root):
    """A page is made once for all who ask, and keeps nobody else waiting."""
    os.utime(root / "run" / "latest")
    before = pages_made(port)
    with concurrent.futures.ThreadPoolExecutor(100) as pool:
        answers = list(pool.map(lambda _: port.get("/runs/run/report"), range(500)))
    tap.ok({status for status, _, _ in answers} == {200} and
           len({page for _, _, page in answers}) == 1, "500 who ask for a page get it",
           {status for status, _, _ in answers})
    tap.ok(pages_made(port) == before + 1, "and it is made once", before, pages_made(port))
    os.utime(root / "run" / "latest")
    port.get("/runs/run/report")
    tap.ok(pages_made(port) == before + 2, "and again when the run has changed", pages_made(port))
    shutil.copytree(root / "run", root / "stuck")
    (root / "stuck" / "events.jsonl").unlink()
    os.mkfifo(root / "stuck" / "events.jsonl")  # whoever reads it waits
    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        stuck = [pool.submit(port.get, "/runs/stuck/report") for _ in range(16)]
        writer = None
        end = time.monotonic() + WAIT_S
        while writer is None and time.monotonic() < end:
            try:
                writer = os.open(root / "stuck" / "events.jsonl", os.O_WRONLY | os.O_NONBLOCK)
            except OSError:  # nobody reads it yet
                time.sleep(0.01)
        statuses = [port.get(path)[0] for path in ("/healthz", "/runs", "/metrics", STEP) * 10]
        tap.ok(writer is not None and statuses == [200] * 40 and
               not any(one.done() for one in stuck), "a page that takes long keeps nobody waiting",
               statuses, [one.done() for one in stuck])
        if writer is not None:
            os.close(writer)
        tap.ok(len({one.result(WAIT_S)[0] for one in stuck}) == 1, "and who waited for it is "
               "answered")
    shutil.rmtree(root / "stuck")


def check_crowd(tap, port, agent, files):
    crowd = [socket.create_connection(("127.0.0.1", port.number), timeout=WAIT_S)
             for _ in range(500)]
    for one in crowd:
        one.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    answered = sum(one.recv(1000).startswith(b"HTTP/1.1 200") for one in crowd)
    for one in crowd:
        one.close()
    tap.ok(answered == 500, "500 at once are answered", answered)
    tap.ok(settled(agent, files) == files, "no descriptor is left", agent.files(), files)


# ---- tokens ----

def check_token(tap, root, folder):
    path = folder / "token"
    path.write_text(hashlib.sha256(TOKEN.encode()).hexdigest() + "  -\n")
    agent = Agent(SNAP, root, "--listen", "0", "--token-file", str(path))
    port = Port(agent)
    status, headers, _ = port.get("/runs")
    tap.ok(status == 401 and "Basic" in headers["WWW-Authenticate"], "without a token", status)
    tap.ok(port.get("/healthz")[0] == 200, "/healthz needs none")

    def basic(text):
        return "Basic " + base64.b64encode(text.encode()).decode()

    for value in (f"Bearer {TOKEN}", f"bearer {TOKEN}", basic(f"me:{TOKEN}"), basic(f":{TOKEN}")):
        status, _, _ = port.get("/runs", Authorization=value, Host="my.example")
        tap.ok(status == 200, f"with it: {value[:12]}", status)
    for value in ("Bearer", "Bearer ", f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}", TOKEN,
                  "Basic", "Basic ?", basic(TOKEN), basic(f"{TOKEN}:me"), basic("me:"),
                  basic("me:" + "x" * 2000), "Basic ====", "Digest x", "Bearer " + "x" * 4000,
                  "Bearer " + hashlib.sha256(TOKEN.encode()).hexdigest()):
        status, _, _ = port.get("/runs", Authorization=value)
        tap.ok(status == 401, f"with a wrong one: {value[:24]}", status)
    tap.ok(port.get(STEP)[0] == 401 and port.get("/metrics")[0] == 401 and
           port.get("/nothing")[0] == 401, "nothing is told without")
    status, said = agent.stop()
    tap.ok(status == 0, "the agent ends well", said)
    tap.ok("every user" not in said, "and said of nobody else that he may read", said)


def refused(root, *options):
    return subprocess.run([SNAP, "serve", "--dir", str(root), *options], check=False, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=WAIT_S)


def check_options(tap, root, folder):
    (folder / "short").write_text("abc\n")
    taken = socket.create_server(("127.0.0.1", 0))
    before = sorted(os.listdir(root))
    for name, status, said, options in (
            ("the network without a token", 2, "must have a token", ["--listen", "0.0.0.0:0"]),
            ("IPv6 without a token", 2, "must have a token", ["--listen", "[::]:0"]),
            ("no port", 2, "expected a port", ["--listen", "127.0.0.1"]),
            ("a port past all", 2, "expected a port", ["--listen", "70000"]),
            ("a name", 2, "expected a port", ["--listen", "example.org:80"]),
            ("a port that is taken", 3, "in use", ["--listen", str(taken.getsockname()[1])]),
            ("no file of a token", 3, "opening the token", ["--listen", "0", "--token-file",
                                                            str(folder / "none")]),
            ("a token that is no hash", 2, "SHA-256", ["--listen", "0", "--token-file",
                                                       str(folder / "short")])):
        done = refused(root, *options)
        tap.ok(done.returncode == status and said in done.stderr, f"refused: {name}",
               done.returncode, done.stderr)
        tap.ok(done.stdout == "" and sorted(os.listdir(root)) == before,
               "without a word that it serves, and nothing is left", done.stdout,
               os.listdir(root))
    taken.close()


# ---- in a browser ----

class Counting(http.server.BaseHTTPRequestHandler):
    """Hands requests of the browser on, and counts what came back."""

    port, pages = None, []

    def do_GET(self):
        status, headers, body = self.port.get(self.path)
        if self.path.endswith("/report"):
            self.pages.append(body.decode())
        self.send_response(status)
        for name in ("Content-Type", "Refresh", "Content-Security-Policy"):
            if name in headers:
                self.send_header(name, headers[name])
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass


def curve(page):
    return re.findall(r'<path class="run"[^>]* d="([^"]*)"', html.unescape(page))


def check_browser(tap, port, root, config, folder):
    if shutil.which("chromium") is None:
        tap.skip("a moving curve in a browser", "no chromium")
        return
    live = subprocess.Popen([SNAP, "run", config, "--dir", str(root / "live")],
                            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    Counting.port, Counting.pages = port, []
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Counting)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        ledger = root / "live" / "ledger.jsonl"
        end = time.monotonic() + WAIT_S
        while time.monotonic() < end and not (
                ledger.exists() and ledger.read_bytes().count(b"\n") > 20):
            time.sleep(0.05)
        command = ["chromium", "--headless", "--no-sandbox", "--disable-gpu",
                   f"--user-data-dir={folder}/profile"]
        address = f"http://127.0.0.1:{server.server_port}/runs/live/report"
        shown = subprocess.run([*command, "--dump-dom", address], check=False, text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                               timeout=2 * WAIT_S).stdout
        before = len(Counting.pages)
        window = subprocess.Popen([*command, "--remote-debugging-port=0", address],
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                  start_new_session=True)
        end = time.monotonic() + 2 * WAIT_S
        while time.monotonic() < end and len(Counting.pages) < before + 3:
            time.sleep(0.1)
        os.killpg(window.pid, signal.SIGKILL)
        window.wait()
    finally:
        server.shutdown()
        server.server_close()
        live.terminate()
        live.wait()
    curves = [curve(page) for page in Counting.pages]
    tap.ok(curve(shown) and curve(shown) == curves[0], "the browser shows the page and its curve",
           shown[:500])
    again = curves[before:]
    tap.ok(len(again) >= 3, "it asks for it again by itself", len(again))
    tap.ok(len(again) >= 3 and again[0] != again[1] != again[2] and all(again),
           "and the curve moves", *(str(one)[:200] for one in again))


def main():
    tap = Tap()
    with tempfile.TemporaryDirectory(prefix="snap-http-") as name:
        folder = Path(name).resolve()
        root, config = folder / "root", str(folder / "config.json")
        (root / "sweep").mkdir(parents=True)
        make = 'work=$1; . "$top_srcdir/tests/cli/fixture.sh"; shift; make_config "$@"'
        subprocess.run(["sh", "-c", make, "sh", name, config, "training.epochs=1"], check=True)
        subprocess.run(["sh", "-c", make, "sh", name, config + ".long", "training.epochs=100000",
                        "running.every=0"], check=True)
        none = refused(root, "--listen", "nowhere")
        if none.returncode == 4:
            tap.skip("the agent's port", none.stderr.strip())
            return tap.done()
        agent = Agent(SNAP, root, "--listen", "0", "--memory", "64M")
        port = Port(agent)
        for run in ("run", "sweep/seed-1", "odd & <b>"):
            subprocess.run([SNAP, "run", config, "--dir", root / run], check=True,
                           stdout=subprocess.DEVNULL)
        subprocess.run([SNAP, "restore", root / "run"], check=True, stdout=subprocess.DEVNULL)
        shutil.copytree(root / "run", root / ".hidden")
        os.symlink("run", root / "link")
        files = agent.files()  # with the snapshots in memory
        check_answers(tap, port)
        check_parts(tap, port, root)
        check_paths(tap, port)
        check_malformed(tap, port, agent, files)
        check_slow(tap, port, agent, files)
        check_slow_reader(tap, port, agent, root, files)
        check_pages(tap, port, root)
        check_crowd(tap, port, agent, files)
        check_browser(tap, port, root, config + ".long", folder)
        tap.ok(agent.lives(), "the agent lives")
        status, said = agent.stop()
        tap.ok(status == 0, "and ends when told", said)
        tap.ok("every user of this machine can read" in said, "it said who may read", said)
        check_token(tap, root, folder)
        check_options(tap, root, folder)
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Object storage against a server that fails on demand: signatures and digests are checked there,
and what a store shows is looked at after every failure."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path[:0] = [f"{os.environ['top_srcdir']}/tests/{name}" for name in ("support", "s3")]

import stub_server  # noqa: E402
from s3_fixture import (BUILD, LARGE, SMALL, built_in, clean_environment, make_run,  # noqa: E402
                        outcome, snap)
from stub_server import CLOSE, FLIP, FLIP_IN, HALF, LOST, Answer, Drip, Pause, Stub  # noqa: E402
from tap import Tap  # noqa: E402

STORE = "s3://bucket/runs/one"
PREFIX = "runs/one/"
KIB, MIB = 1 << 10, 1 << 20
STRIDE = 1999  # one byte in so many is damaged

tap = Tap()
said = []  # everything that any command printed


def run(stub, *words, **more):
    done = snap(*words, env=clean_environment(**{**stub.environment(), **more}))
    said.append(outcome(done))
    return done


def exits(expected, name, stub, *words, **more):
    done = run(stub, *words, **more)
    tap.ok(done.returncode == expected, f"{name}: exit {expected}", outcome(done))
    return done


def archives(stub):
    return {key: data for key, data in stub.objects.items() if key.startswith(PREFIX + "archives/")}


def holds(stub, files):
    """Does the store hold these files, and no other archive?"""
    return sorted(archives(stub).values()) == sorted(file.read_bytes() for file in files)


def count(stub, method, text):
    return sum(1 for request in stub.requests if request.method == method and text in request.path)


def conformance(name, **options):
    page = options.pop("page", 1000)
    with Stub(**options) as stub:
        stub.page = page
        done = subprocess.run([BUILD / "tests/unit/test_store"], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, universal_newlines=True, check=False,
                              env=clean_environment(**stub.environment(),
                                                    SNAP_TEST_S3_URI="s3://bucket/a b=1/\u00e9"))
        tap.ok(done.returncode == 0, f"the conformance test of stores: {name}", done.stdout)
        tap.ok(any("/a b=1/\u00e9/" in request.path for request in stub.requests),
               f"it asked the server: {name}")


def test_commands(files, folder):
    folder.mkdir()
    with Stub() as stub:
        exits(0, "push of a run", stub, "push", files[0].parents[1], STORE)
        tap.ok(holds(stub, files), "the archives are there, byte for byte")
        last = [request.path for request in stub.requests if request.method == "PUT"][-1]
        tap.ok(last.endswith("/latest"), "latest is written last", last)
        puts = count(stub, "PUT", "/archives/")
        again = exits(0, "push again", stub, "push", files[0].parents[1], STORE)
        tap.ok(count(stub, "PUT", "/archives/") == puts and "there already" in again.stdout
               and count(stub, "PUT", "/ledger.jsonl") == 1, "nothing is sent twice",
               outcome(again))
        listed = json.loads(exits(0, "list", stub, "list", STORE, "--json").stdout)["result"]
        tap.ok([a["step"] for a in listed["archives"]] == [6, 12, 18, 24]
               and [a["latest"] for a in listed["archives"]] == [False, False, False, True],
               "it shows all, and the latest", listed)
        uri = f"{STORE}/{listed['archives'][1]['file']}"
        cat = exits(0, "cat", stub, "cat", uri, "data.json")
        local = snap("cat", files[1], "data.json", env=clean_environment())
        tap.ok(cat.stdout == local.stdout != "", "a member is what it is in the file")
        exits(0, "verify of the store", stub, "verify", STORE)
        exits(0, "verify of an archive", stub, "verify", uri,
              listed["archives"][1]["snapshot_hash"])
        exits(1, "verify against another hash", stub, "verify", uri,
              listed["archives"][0]["snapshot_hash"])
        test_python(stub, uri)
        for words in (["hash"], ["show"], ["list"]):
            exits(0, f"{words[0]} of an archive there", stub, *words, uri)
        exits(0, "diff of one there and one here", stub, "diff", uri, files[1])
        exits(0, "pull of the latest", stub, "pull", STORE, folder / "one")
        exits(0, "pull of a step", stub, "pull", STORE, folder / "one", "--step", "12")
        exits(0, "pull of all", stub, "pull", STORE, folder / "one", "--all")
        tap.ok(all((folder / "one/snapshots" / file.name).read_bytes() == file.read_bytes()
                   for file in files), "what was pulled is what was pushed")
        exits(0, "the pulled run is intact", stub, "verify", folder / "one")
        exits(0, "a training goes on from it", stub, "restore", folder / "one", "--steps", "24")
        exits(0, "pull of one archive", stub, "pull", uri, folder / "file.snap.tar")
        tap.ok((folder / "file.snap.tar").read_bytes() == files[1].read_bytes(), "it is the file")
        exits(0, "pull over an equal file", stub, "pull", uri, folder / "file.snap.tar")
        exits(3, "pull over another", stub, "pull", f"{STORE}/{listed['archives'][0]['file']}",
              folder / "file.snap.tar")
        data = Path(os.environ["top_srcdir"]) / "data"
        done = exits(0, "restore from the store", stub, "restore", STORE, "--dir", folder / "new",
                     "--data", data, "--steps", "24")
        tap.ok("to step 24 of 24" in done.stdout, "it is at the latest step", outcome(done))
        # Both trainings had the credentials in their environment.
        secret = stub_server.SECRET.encode()
        exits(0, "push of the new run", stub, "push", folder / "new", STORE + "-new")
        written = [file for file in folder.rglob("*") if file.is_file()]
        tap.ok(len(written) > 10 and not any(secret in file.read_bytes() for file in written)
               and not any(secret in data for data in stub.objects.values()),
               f"no secret in {len(written)} files and {len(stub.objects)} objects")
        exits(3, "an archive that is not there", stub, "cat", uri.replace("step-", "step-9"), "x")
        exits(3, "a store that is not there", stub, "pull", STORE + "/no", folder / "no")
        exits(3, "a bucket that is not there", stub, "list", "s3://other/x")
        done = exits(3, "push into it", stub, "push", files[0], "s3://other/x")
        tap.ok("NoSuchBucket" in done.stderr, "the bucket is what is missing", outcome(done))
        # Forward only, and of one run.
        exits(0, "push of an older one", stub, "push", files[0], STORE)
        tap.ok(b'"step":24' in stub.objects[PREFIX + "latest"], "latest does not go back")
        key = min(archives(stub))
        stub.objects[key] = stub.objects[key][:-1]
        exits(1, "push onto a shorter one", stub, "push", files[0], STORE)


def test_python(stub, uri):
    """The package reads what the library reads. Python cannot load one with a sanitizer."""
    if "address" in os.environ.get("SANITIZER_FLAGS", ""):
        return
    env = clean_environment(**stub.environment(), PYTHONPATH=os.environ["top_srcdir"] + "/python")
    done = subprocess.run([sys.executable, "-c",
                           "import snapstate, sys; print(snapstate.Archive(sys.argv[1]).step)",
                           uri], env=env, check=False, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, universal_newlines=True)
    tap.ok(done.stdout == "12\n", "the Python package opens an archive there", done.stdout)


def test_refusals(files):
    with Stub() as stub:
        wrong = {**stub.environment(), "AWS_SECRET_ACCESS_KEY": "another/secret"}
        done = snap("list", STORE, env=clean_environment(**wrong))
        said.append(outcome(done))
        tap.ok(done.returncode == 3 and "SignatureDoesNotMatch" in done.stderr,
               "a wrong secret is refused, in a line", outcome(done))
        done = snap("list", STORE, env=clean_environment(AWS_ENDPOINT_URL=stub.url))
        tap.ok(done.returncode == 3 and "AWS_ACCESS_KEY_ID" in done.stderr,
               "without credentials it says where they go", outcome(done))
        done = run(stub, "push", files[0], "s3://user:hidden-word@bucket/x")
        tap.ok(done.returncode == 2 and "hidden-word" not in done.stderr,
               "credentials in a URI are refused, and not repeated", outcome(done))
        for uri in ("s3://", "s3:///x", "s3://b//x", "ftp://x/y", "s3://UP per/x"):
            exits(2, f"{uri} is no store", stub, "list", uri)
        exits(2, "a deadline that is none", stub, "list", STORE, SNAP_S3_DEADLINE="soon")
        exits(3, "nobody listens", stub, "list", STORE, SNAP_S3_DEADLINE="1",
              AWS_ENDPOINT_URL_S3="http://127.0.0.1:1")
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "libcurl.so.4").write_bytes(b"no library")
            done = exits(4, "without libcurl", stub, "list", STORE, LD_LIBRARY_PATH=folder)
            tap.ok("libcurl cannot be loaded" in done.stderr, "it says so", outcome(done))
            exits(0, "a folder needs none", stub, "list", files[0].parents[1],
                  LD_LIBRARY_PATH=folder)
    with Stub(token=True) as stub:
        exits(0, "push with a session's token", stub, "push", files[0], STORE)


def test_profiles(files, folder):
    folder.mkdir()
    with Stub() as stub:
        (folder / "credentials").write_text(
            "[default]\naws_access_key_id = nobody\n\n[ work ]\n# a comment\n"
            f"aws_access_key_id={stub_server.KEY}\naws_secret_access_key = {stub_server.SECRET}\n",
            encoding="ascii")
        (folder / "config").write_text(
            "[profile work]\nregion = us-east-1\ns3 =\n    region = nowhere\n"
            f"endpoint_url = {stub.url}/\n", encoding="ascii")
        env = clean_environment(AWS_PROFILE="work", AWS_CONFIG_FILE=str(folder / "config"),
                                AWS_SHARED_CREDENTIALS_FILE=str(folder / "credentials"))
        done = snap("push", files[0], STORE, env=env)
        tap.ok(done.returncode == 0 and holds(stub, files[:1]), "profile files are read",
               outcome(done))


def test_tls(files, folder):
    folder.mkdir()
    file = folder / "certificate.pem"
    made = subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                           "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=stub", "-addext",
                           "subjectAltName=IP:127.0.0.1", "-keyout", folder / "key.pem", "-out",
                           folder / "cert.pem"], check=False, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, universal_newlines=True)
    tap.ok(made.returncode == 0, "a certificate is made", made.stdout)
    file.write_bytes((folder / "cert.pem").read_bytes() + (folder / "key.pem").read_bytes())
    with Stub(certificate=file) as stub:
        done = exits(3, "a certificate that nobody knows", stub, "push", files[0], STORE)
        tap.ok("1 attempt:" in done.stderr and not stub.requests, "is told at once",
               outcome(done))
        exits(0, "one that AWS_CA_BUNDLE knows", stub, "push", files[0], STORE,
              AWS_CA_BUNDLE=str(folder / "cert.pem"))
        tap.ok(holds(stub, files[:1]), "the archive is there")


def test_faults(files):
    """A failure that passes is met by another attempt."""
    later = [("PUT", "/archives/", fault) for fault in
             (Answer(503, "SlowDown"), Answer(500, "InternalError"), Answer(429, "TooManyRequests"),
              Answer(409, "ConditionalRequestConflict"), Answer(400, "RequestTimeout"), CLOSE, LOST,
              FLIP_IN, Pause(1.5))]
    later += [("HEAD", "/archives/", CLOSE), ("HEAD", "/latest", Answer(502, "BadGateway")),
              ("PUT", "/latest", LOST), ("PUT", "/latest", CLOSE), ("GET", "/latest", HALF)]
    for conditions in (True, False):
        for method, pattern, fault in later if conditions else later[-8:]:
            with Stub(conditions=conditions) as stub:
                stub.fault(method, pattern, fault, times=2)
                done = run(stub, "push", files[0], STORE)
                tap.ok(done.returncode == 0 and holds(stub, files[:1])
                       and b'"step":6' in stub.objects[PREFIX + "latest"],
                       f"pushed in spite of {method} {pattern} {fault}"
                       + ("" if conditions else ", without conditions"), outcome(done))
                if not conditions:
                    tap.ok("create-only" in done.stdout, "and it says what the server lacks")
    with Stub() as stub:
        run(stub, "push", files[0].parents[1], STORE)
        away = "/bucket+segments/" + 300 * "a" + "/3: 503 Service Unavailable"
        for fault in (HALF, CLOSE, Answer(503, "SlowDown"), Answer(409, "BrokenMPU"),
                      Answer(400, "InvalidRequest", away), Pause(1.5)):
            stub.fault("GET", "/archives/step-0000000012", fault, times=2)
            exits(0, f"verified in spite of {fault}", stub, "verify", STORE)
        stub.fault("GET", "/archives/step-0000000012", Answer(503, "SlowDown"), times=10000)
        done = exits(3, "the deadline ends it", stub, "verify", STORE, SNAP_S3_DEADLINE="1")
        tap.ok("503 SlowDown" in done.stderr, "with the server's last word", outcome(done))
        stub.faults.clear()
        stub.fault("GET", "list-type", Answer(403, "AccessDenied"), times=10000)
        exits(3, "what is forbidden is not tried again", stub, "list", STORE)
        tap.ok(stub.faults[0][3] == 9999, "it was asked once")
        stub.faults.clear()
        stub.fault("GET", "list-type", Answer(400, "InvalidRequest", "part 5: 404"), times=10000)
        exits(3, "a bad request neither", stub, "list", STORE)
        tap.ok(stub.faults[0][3] == 9999, "it was asked once as well")
    for method, fault in (("PUT", Answer(503, "SlowDown")), ("PUT", CLOSE), ("PUT", FLIP_IN),
                          ("HEAD", CLOSE)):
        with Stub() as stub:
            stub.fault(method, "/archives/", fault, times=10000)
            done = run(stub, "push", files[0], STORE, SNAP_S3_DEADLINE="1")
            expected = 5 if fault == FLIP_IN else 3
            tap.ok(done.returncode == expected and not stub.objects,
                   f"given up on {method} {fault}: nothing is shown", outcome(done))
    # One that is slow, and moves.
    with Stub() as stub:
        run(stub, "push", files[0], STORE)
        stub.fault("GET", "/archives/", Drip(1))
        exits(0, "slower than the deadline, and moving", stub, "verify", STORE,
              SNAP_S3_DEADLINE="2")
    # A server that is silent.
    with Stub() as stub:
        stub.fault("PUT", "/archives/", Pause(8), times=10000)
        exits(3, "a silent server", stub, "push", files[0], STORE, SNAP_S3_DEADLINE="2")


def test_damage(files, folder):
    folder.mkdir()
    with Stub() as stub:
        run(stub, "push", files[0].parents[1], STORE)
        uri = f"{STORE}/{min(archives(stub))[len(PREFIX):]}"
        key = min(archives(stub))
        good = stub.objects[key]
        seen = 0
        for place in range(0, len(good), STRIDE):
            stub.objects[key] = good[:place] + bytes([good[place] ^ 8]) + good[place + 1:]
            done = run(stub, "verify", uri)
            pulled = run(stub, "pull", uri, folder / "pulled")
            seen += done.returncode == 5 and (pulled.returncode == 5
                                              or (folder / "pulled").read_bytes() == good)
            (folder / "pulled").unlink(missing_ok=True)
        tap.ok(seen == len(range(0, len(good), STRIDE)),
               f"each of {seen} damaged bytes is found by verify, and never pulled")
        stub.objects[key] = good
        stub.fault("GET", "/archives/", FLIP, times=10000)
        done = exits(5, "a member that changes on the way", stub, "cat", uri, "data.json")
        tap.ok(done.stdout == "", "none of it is written")
        stub.faults.clear()
        stub.objects[PREFIX + "latest"] = b"{}\n"
        exits(5, "a broken latest", stub, "list", STORE)
    damaged = folder / "damaged.snap.tar"
    content = bytearray(files[0].read_bytes())
    content[40000] ^= 1
    damaged.write_bytes(content)
    with Stub() as stub:
        exits(5, "push of a damaged archive", stub, "push", damaged, STORE)
        tap.ok(not stub.objects and not stub.uploads, "leaves nothing there")


def test_races(files, folder):
    """Somebody else writes between two requests."""
    def meddle(stub, method, pattern, action):
        def hook(seen, path):
            if seen == method and pattern in path:
                stub.hook = None
                action(path.partition("?")[0].partition("/bucket/")[2])
        stub.hook = hook

    def other_latest(stub):
        stub.objects[PREFIX + "latest"] = newest

    with Stub() as stub:
        run(stub, "push", files[0].parents[1], STORE)
        newest = stub.objects[PREFIX + "latest"]
    with Stub() as stub:
        meddle(stub, "PUT", "/archives/", lambda key: stub.objects.update({key: b"other"}))
        exits(1, "412: another has other bytes", stub, "push", files[0], STORE)
        tap.ok(b"other" in stub.objects.values() and PREFIX + "latest" not in stub.objects,
               "they stay, and latest is not written")
    with Stub() as stub:
        meddle(stub, "PUT", "/archives/",
               lambda key: stub.objects.update({key: files[0].read_bytes()}))
        exits(0, "412: another has the same bytes", stub, "push", files[0], STORE)
    with Stub() as stub:
        run(stub, "push", files[0], STORE)
        meddle(stub, "PUT", "/latest", stub.objects.pop)
        exits(0, "404: another has removed latest", stub, "push", files[1], STORE)
        tap.ok(b'"step":12' in stub.objects[PREFIX + "latest"], "it is written anew")
    with Stub() as stub:
        meddle(stub, "PUT", "/latest", lambda key: other_latest(stub))
        exits(0, "412: another has moved latest on", stub, "push", files[0], STORE)
        tap.ok(stub.objects[PREFIX + "latest"] == newest, "it does not go back")
    # An older copy of the run, whose ledger would be the first there.
    whole = (files[0].parents[1] / "ledger.jsonl").read_bytes()
    shutil.copytree(files[0].parents[1], folder)
    (folder / "ledger.jsonl").write_bytes(b"".join(whole.splitlines(keepends=True)[:13]))
    with Stub() as stub:
        meddle(stub, "PUT", "/ledger", lambda key: stub.objects.update({key: whole}))
        done = exits(0, "412: another has put more lines", stub, "push", folder, STORE)
        tap.ok(stub.objects[PREFIX + "ledger.jsonl"] == whole and "ledger" in done.stdout,
               "they stay, and it says so", outcome(done))
    with Stub() as stub:
        run(stub, "push", files[0].parents[1], STORE)
        stub.objects[PREFIX + "latest"] = stub.objects[PREFIX + "latest"].replace(b"24", b"25")
        meddle(stub, "GET", "/latest", lambda key: other_latest(stub))
        exits(0, "latest moves on when it is read", stub, "list", STORE)
    with Stub() as stub:
        run(stub, "push", files[0], STORE)
        uri = f"{STORE}/{min(archives(stub))[len(PREFIX):]}"
        meddle(stub, "GET", "/archives/", lambda key: stub.objects.update({key: b"x" * 80000}))
        done = exits(3, "replaced while it is read", stub, "verify", uri)
        tap.ok("replaced" in done.stderr, "and says so", outcome(done))


def test_readers(files, folder):
    """What only reads needs no right to list uploads, and no ETags; and it comes to an end."""
    folder.mkdir()
    forbidden = ("GET", r"[?&]upload(s|Id)=", Answer(403, "AccessDenied"), 10000)
    with Stub() as stub:
        run(stub, "push", files[0].parents[1], STORE)
        run(stub, "push", files[0].parents[1], STORE + "-two")
        stub.uploads["x"] = {"key": PREFIX + "archives/" + files[0].name, "parts": {1: b"x"}}
        for pattern in (forbidden[1], "[?&]uploadId="):
            stub.faults.clear()
            stub.fault("GET", pattern, *forbidden[2:])
            done = exits(0, f"list, {pattern} forbidden", stub, "list", STORE)
            tap.ok("unfinished: not known" in done.stdout, "it says what it does not know",
                   outcome(done))
            listed = json.loads(run(stub, "list", STORE, "--json").stdout)["result"]
            tap.ok(listed["uploads"] is None and len(listed["archives"]) == 4,
                   "so does its document")
            exits(0, "verify", stub, "verify", STORE)
        stub.faults.clear()
        stub.fault(*forbidden[:3], times=10000)
        exits(0, "pull", stub, "pull", STORE, folder / "pulled")
        tap.ok(stub.faults[0][3] == 10000, "it does not even ask")
        exits(3, "give up", stub, "push", "--give-up", STORE)
        stub.faults.clear()
        stub.fault("GET", "[?&]uploads=", Answer(405, "MethodNotAllowed"), times=10000)
        exits(0, "list, where there are no uploads", stub, "list", STORE)
        stub.faults.clear()
        for size in ((1 << 24) + 1, (1 << 24) + (1 << 17)):
            stub.objects[PREFIX + "config.json"] = bytes(size)
            done = exits(5, f"a config of {size} bytes", stub, "pull", STORE, folder / "large")
            tap.ok("config.json: " in done.stderr and "has more than" in done.stderr,
                   "it is not read", outcome(done))
    for name, tag in (("no", lambda data: None),
                      ("weak", lambda data: 'W/"' + stub_server.sha256(data) + '"')):
        with Stub() as stub:
            stub.etag = tag
            run(stub, "push", files[0], STORE)
            stub.requests.clear()
            done = exits(0, f"a newer one, {name} ETags", stub, "push", files[1], STORE)
            tap.ok(b'"step":12' in stub.objects[PREFIX + "latest"]
                   and count(stub, "PUT", "/latest") == 1, "latest is written once")
            tap.ok("create-only" in done.stdout, "and it says what the server lacks", outcome(done))
            exits(0, f"verify, {name} ETags", stub, "verify", STORE)
    for pages in (1, 2, 7):
        with Stub() as stub:
            run(stub, "push", files[0], STORE)
            stub.circle = pages
            stub.requests.clear()
            done = exits(5, f"a listing of {pages} pages without end", stub, "list", STORE)
            tap.ok("given this page before" in done.stderr and len(stub.requests) < 3 * pages + 3,
                   f"it asked {len(stub.requests)} times", outcome(done))


def test_ranges(large):
    """Reading one member of a large archive takes little more than the member."""
    with Stub() as stub:
        run(stub, "push", large[-1], STORE)
        uri = f"{STORE}/{min(archives(stub))[len(PREFIX):]}"
        stub.requests.clear()
        done = exits(0, "cat of a small member", stub, "cat", uri, "data.json")
        fetched = sum(request.sent for request in stub.requests)
        tap.ok(done.stdout != "" and fetched < 128 * KIB < len(stub.objects[min(archives(stub))]),
               f"it fetched {fetched} bytes in {len(stub.requests)} requests")
        stub.requests.clear()
        size = len(snap("cat", large[-1], "tensors/model/wide.weight~0000",
                        env=clean_environment()).stdout) or 4096000
        exits(0, "verify of it", stub, "verify", uri)
        fetched = sum(request.sent for request in stub.requests)
        tap.ok(size and fetched < 2 * len(stub.objects[min(archives(stub))]) + MIB,
               f"verify fetched {fetched} bytes in {len(stub.requests)} requests")


def main():
    if not built_in():
        tap.skip("object storage", "it is not built in: no headers of libcurl or expat")
        return tap.done()
    conformance("a server with conditions")
    conformance("one without", conditions=False)
    conformance("pages of two", page=2)
    conformance("a session's token", token=True)
    with tempfile.TemporaryDirectory() as top:
        for name in ("small", "large"):
            (Path(top) / name).mkdir()
        _, files = make_run(Path(top) / "small", SMALL, 24)
        _, large = make_run(Path(top) / "large", LARGE, 1)
        test_commands(files, Path(top) / "commands")
        test_refusals(files)
        test_profiles(files, Path(top) / "profiles")
        if shutil.which("openssl"):
            test_tls(files, Path(top) / "tls")
        else:
            tap.skip("a server with TLS", "no openssl")
        test_faults(files)
        test_damage(files, Path(top) / "damage")
        test_races(files, Path(top) / "races")
        test_readers(files, Path(top) / "readers")
        test_ranges(large)
    secrets = [stub_server.SECRET, stub_server.TOKEN, "another/secret"]
    tap.empty((line for line in said if any(secret in line for secret in secrets)),
              f"no secret in what {len(said)} commands said")
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())

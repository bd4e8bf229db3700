# SPDX-License-Identifier: Apache-2.0
"""A real server of the S3 protocol on loopback: OpenStack Swift with its s3api middleware, one node
on a plain folder, from Debian's packages (swift-proxy, swift-account, swift-container,
swift-object, memcached). Started and stopped by whoever makes one; nothing of the system's own
configuration is read or changed.

    with Swift(folder) as swift:
        os.environ.update(swift.environment())
        swift.kill("object"); swift.start("object")
"""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import time

RINGS = ("account", "container", "object")
SERVERS = RINGS + ("proxy",)
PROGRAMS = [f"swift-{name}-server" for name in SERVERS] + ["swift-ring-builder", "memcached"]
KEY, SECRET = "test:tester", "testing"

COMMON = """[DEFAULT]
bind_ip = 127.0.0.1
bind_port = {port}
workers = 0
user = {user}
swift_dir = {top}/etc
devices = {top}/node
mount_check = false
disable_fallocate = true
log_address = {top}/no-log
"""
STORAGE = COMMON + """
[pipeline:main]
pipeline = {name}-server
[app:{name}-server]
use = egg:swift#{name}
"""
PROXY = COMMON + """
[pipeline:main]
pipeline = {pipeline}
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
error_suppression_limit = 1000000
[filter:tempauth]
use = egg:swift#tempauth
user_test_tester = testing .admin
[filter:s3api]
use = egg:swift#s3api
location = us-east-1
[filter:cache]
use = egg:swift#memcache
memcache_servers = 127.0.0.1:{memcached}
"""
PIPELINE = ("catch_errors gatekeeper healthcheck cache listing_formats bulk s3api tempauth copy "
            "slo dlo symlink versioned_writes proxy-server")
SIMPLE = ("catch_errors", "gatekeeper", "healthcheck", "listing_formats", "bulk", "copy", "slo",
          "dlo", "symlink", "versioned_writes")


def program(name):
    return shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin:/usr/bin")


def missing():
    """Names of the programs that are not installed."""
    return [name for name in PROGRAMS if program(name) is None]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for_port(port, process, seconds=60):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if process.poll() is not None:
            raise RuntimeError(f"{process.args[0]} ended with {process.returncode}")
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise RuntimeError(f"{process.args[0]} does not listen")


class Swift:
    def __init__(self, top):
        self.top = str(top)
        self.ports = {name: free_port() for name in SERVERS + ("memcached",)}
        self.processes = {}
        self.log = None

    def __enter__(self):
        # A test that is told to end must leave no server behind.
        signal.signal(signal.SIGTERM, lambda *unused: sys.exit(99))
        os.makedirs(f"{self.top}/etc")
        os.makedirs(f"{self.top}/node/d1")
        self.log = open(f"{self.top}/servers.log", "wb")
        self._configure()
        self._build_rings()
        for name in ("memcached",) + SERVERS:
            self.start(name)
        return self

    def __exit__(self, *unused):
        for name in reversed(SERVERS):
            self.kill(name)
        self.kill("memcached")
        self.log.close()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.ports['proxy']}"

    def environment(self):
        return {"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET,
                "AWS_REGION": "us-east-1", "AWS_ENDPOINT_URL_S3": self.url}

    def _write(self, name, text):
        with open(f"{self.top}/etc/{name}", "w", encoding="ascii") as file:
            file.write(text)

    def _configure(self):
        user = pwd.getpwuid(os.getuid()).pw_name
        self._write("swift.conf", "[swift-hash]\nswift_hash_path_prefix = a\n"
                                  "swift_hash_path_suffix = b\n")
        for name in RINGS:
            self._write(f"{name}.conf", STORAGE.format(name=name, top=self.top, user=user,
                                                       port=self.ports[name]))
        text = PROXY.format(top=self.top, user=user, port=self.ports["proxy"], pipeline=PIPELINE,
                            memcached=self.ports["memcached"])
        for name in SIMPLE:
            text += f"[filter:{name}]\nuse = egg:swift#{name}\n"
        self._write("proxy.conf", text)

    def _build_rings(self):
        for name in RINGS:
            builder = f"{self.top}/etc/{name}.builder"
            for words in (["create", "4", "1", "1"],
                          ["add", f"r1z1-127.0.0.1:{self.ports[name]}/d1", "1"], ["rebalance"]):
                subprocess.run([program("swift-ring-builder"), builder] + words, check=True,
                               stdout=self.log, stderr=self.log)

    def start(self, name):
        port = self.ports[name]
        if name == "memcached":
            words = [program(name), "-l", "127.0.0.1", "-p", str(port), "-U", "0"]
            words += ["-u", pwd.getpwuid(os.getuid()).pw_name]
        else:
            words = [program(f"swift-{name}-server"), f"{self.top}/etc/{name}.conf"]
        if name != "memcached":
            # The servers read /etc/swift/swift.conf unless told otherwise before they are loaded.
            code = ("import sys, runpy; import swift.common.utils as u; "
                    "u.SWIFT_CONF_FILE = sys.argv.pop(1); u.HASH_PATH_PREFIX = b''; "
                    "u.HASH_PATH_SUFFIX = b''; u.validate_hash_conf(); "
                    "sys.argv.pop(0); runpy.run_path(sys.argv[0], run_name='__main__')")
            words = ["/usr/bin/python3", "-c", code, f"{self.top}/etc/swift.conf"] + words
        self.processes[name] = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=self.log,
                                                stderr=self.log)
        wait_for_port(port, self.processes[name])

    def kill(self, name, how=signal.SIGKILL):
        process = self.processes.pop(name, None)
        if process is not None:
            process.send_signal(how)
            process.wait()


if __name__ == "__main__":
    with Swift(sys.argv[1]) as server:
        print(server.url, flush=True)
        signal.pause()

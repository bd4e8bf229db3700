# SPDX-License-Identifier: Apache-2.0
"""Programs that are measured: each times itself, so that starting it is not counted."""

import signal
import subprocess

from figure import NotMeasured


def _complain(command, status, errors):
    last = errors.strip().splitlines()[-1:] or [f"exit status {status}"]
    return NotMeasured(f"{command[0].rsplit('/', 1)[-1]}: {last[0]}")


def once(command, env=None):
    """Run a program that prints the seconds it took."""
    done = subprocess.run(command, env=env, check=False, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        return float(done.stdout.split()[-1])
    except (IndexError, ValueError):
        raise _complain(command, done.returncode, done.stderr) from None


class Worker:
    """A program that answers each line, "go" or what it is to do, with the seconds that it took,
    and what else it has to say behind them. `stopped`: between its answers it does not run, so that
    threads of its that wait by spinning take nothing from the other side."""

    def __init__(self, command, env=None, stopped=False):
        self.command = command
        self.stopped = stopped
        self.process = subprocess.Popen(command, env=env, text=True, stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def ask(self, line):
        """The fields of the answer."""
        try:
            if self.stopped:
                self.process.send_signal(signal.SIGCONT)
            self.process.stdin.write(line + "\n")
            self.process.stdin.flush()
            fields = self.process.stdout.readline().split()
            float(fields[0])
            if self.stopped:
                self.process.send_signal(signal.SIGSTOP)
            return fields
        except (BrokenPipeError, IndexError, ValueError):
            errors = self.process.communicate()[1]
            raise _complain(self.command, self.process.returncode, errors) from None

    def go(self):
        return float(self.ask("go")[0])

    def stop(self):
        self.process.kill()
        self.process.communicate()

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.stop()

# SPDX-License-Identifier: Apache-2.0
"""TAP for the Python tests: one `Tap`, `ok` or `skip` for every test point, `done` at the end.

    tap = Tap()
    tap.ok(a == b, "the streams agree", f"{a} != {b}")
    sys.exit(tap.done())
"""


class Tap:
    def __init__(self):
        self.points = 0
        self.failures = 0

    def ok(self, condition, name, *diagnostics):
        """One test point; `diagnostics` are lines printed if it failed."""
        self.points += 1
        print(f"{'ok' if condition else 'not ok'} {self.points} - {name}")
        if not condition:
            self.failures += 1
            for text in diagnostics:
                for line in str(text).splitlines():
                    print(f"# {line}")
        return condition

    def empty(self, found, name):
        """A test point that passes if nothing was `found`; what was is printed."""
        found = list(found)
        return self.ok(not found, name, *found)

    def skip(self, name, reason):
        self.points += 1
        print(f"ok {self.points} - {name} # SKIP {reason}")

    def done(self):
        """Print the plan; the exit status of the test program."""
        print(f"1..{self.points}", flush=True)
        return 1 if self.failures else 0

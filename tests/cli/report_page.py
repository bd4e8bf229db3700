# SPDX-License-Identifier: Apache-2.0
"""Look at a page of snap report, for tests/cli/test_report.sh:

    report_page.py strict FILE       print what is wrong with it as HTML that needs nothing else
    report_page.py text FILE         its text, as a reader without a browser sees it
    report_page.py decimated FILE STEPS SEED   compare the loss curve with what was put in
    report_page.py browser FILE      the same text, width and colours in Chromium, as JSON
    report_page.py long DIR STEPS SEED         make a run folder
"""

import html
import json
import math
import re
import subprocess
import sys
import tempfile
from html.parser import HTMLParser
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "bench"))

from story_runs import write_run  # noqa: E402

VOID = {"meta", "path"}
KNOWN = VOID | {"html", "head", "title", "style", "body", "main", "h1", "h2", "h3", "p", "div",
                "span", "table", "thead", "tbody", "tr", "th", "td", "figure", "figcaption", "svg",
                "section", "details", "summary", "dl", "dt", "dd", "code", "strong"}


class Page(HTMLParser):
    """What is open, what is wrong, the text, and the paths of each figure."""

    def __init__(self, text):
        super().__init__()
        self.open, self.wrong, self.words, self.figures, self.caption = [], [], [], {}, None
        self.feed(text)
        self.close()
        self.wrong += [f"<{tag}> is left open" for tag in self.open]

    def handle_starttag(self, tag, attributes):
        known = dict(attributes)
        if tag not in KNOWN:
            self.wrong.append(f"<{tag}>")
        for name, value in known.items():
            if name in ("src", "href", "srcset", "action") or name.startswith("on"):
                self.wrong.append(f"{tag} {name}={value}")
        if tag == "figure":
            self.caption = None
        if tag == "svg":
            self.figures[self.caption] = {"box": known["viewbox"], "paths": []}
        if tag == "path":
            self.figures[self.caption]["paths"].append(known)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.wrong.append(f"</{tag}> closes something else")

    def handle_data(self, data):
        if "figcaption" in self.open:
            self.caption = data
        if "style" not in self.open and data.strip():
            self.words.append(" ".join(data.split()))


def strict(path):
    data = Path(path).read_bytes()
    text = data.decode("utf-8")
    for problem in Page(text).wrong:
        print(problem)
    if not text.startswith("<!DOCTYPE html>\n<html lang=\"en\">"):
        print("it does not begin as HTML in a language")
    for needed in ('name="viewport"', "prefers-color-scheme:dark", '<meta charset="utf-8">'):
        if needed not in text:
            print(f"{needed} is missing")
    for more in re.findall(r"https?:|@import|url\(|<script", text):
        print(f"it asks for more: {more}")
    if len(data) >= 2_000_000:
        print(f"{len(data)} bytes")


def points(data):
    """The absolute points of path data that has M and l alone."""
    found, x, y = [], 0, 0
    for letter, first, second in re.findall(r"([Ml])(-?\d+) (-?\d+)", data):
        x, y = (int(first), int(second)) if letter == "M" else (x + int(first), y + int(second))
        found.append((x, y))
    return found


def decimated(path, steps, seed):
    """The lowest and the highest value of every column, worked out again from the numbers."""
    with tempfile.TemporaryDirectory() as folder:
        losses = write_run(Path(folder) / "run", steps, seed)["loss"]
    figure = Page(Path(path).read_text("utf-8")).figures["loss"]
    last_column, height = (int(word) for word in figure["box"].split()[2:])
    values = [value for _, value in losses]
    room = (max(values) - min(values)) / 40
    low, high = min(values) - room, max(values) + room
    columns = {}
    for step, value in losses:
        column = int((step - 1) / (steps - 1) * last_column)
        columns.setdefault(column, []).append(value)
    wanted = []
    for column, inside in sorted(columns.items()):
        ends = sorted({min(inside), max(inside)}, key=inside.index)
        wanted += [(column, math.floor(height * (1 - (end - low) / (high - low)) + 0.5))
                   for end in ends]
    curve, = (known for known in figure["paths"] if known.get("class") == "run")
    if len(columns) < 500 or points(curve["d"]) != wanted:
        print(f"{len(columns)} columns; the curve has {len(points(curve['d']))} points, "
              f"not the {len(wanted)} that it should")


# Reads a page of phone's width, and says what a reader would see.
LOOK = """<!DOCTYPE html><html><body><iframe id="f" style="width:360px;height:700px;border:0"
srcdoc="{page}"></iframe><pre id="said"></pre><script>
onload = () => {{
  const inner = document.getElementById("f").contentDocument, root = inner.documentElement;
  document.getElementById("said").textContent = JSON.stringify({{
    beyond: root.scrollWidth - root.clientWidth, text: inner.body.innerText,
    charts: [...inner.querySelectorAll(".plot svg")].map(
      (svg) => [svg.getBoundingClientRect().width, svg.getBoundingClientRect().height]),
    drawn: [...inner.querySelectorAll("path.run, path.mean")].every(
      (path) => path.getBBox().width > 0),
    background: getComputedStyle(inner.body).backgroundColor,
    colour: getComputedStyle(inner.body).color}});
}};
</script></body></html>
"""


def browser(path):
    page = Path(path).read_text("utf-8")
    said = {}
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "look.html").write_text(LOOK.format(page=html.escape(page)), "utf-8")
        for name, scheme in (("light", 1), ("dark", 0)):
            dom = subprocess.run(
                ["chromium", "--headless", "--no-sandbox", "--disable-gpu",
                 f"--user-data-dir={folder}/profile", "--virtual-time-budget=5000",
                 f"--blink-settings=preferredColorScheme={scheme}", "--dump-dom",
                 f"file://{folder}/look.html"], check=True, stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL, timeout=120).stdout.decode("utf-8")
            said[name] = json.loads(html.unescape(
                re.search(r'<pre id="said">(.*?)</pre>', dom, re.DOTALL).group(1)))
    print(json.dumps(said))


if __name__ == "__main__":
    command, file, *rest = sys.argv[1:]
    if command == "strict":
        strict(file)
    elif command == "text":
        print("\n".join(Page(Path(file).read_text("utf-8")).words))
    elif command == "decimated":
        decimated(file, *map(int, rest))
    elif command == "browser":
        browser(file)
    else:
        write_run(Path(file), *map(int, rest))

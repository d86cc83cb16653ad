"""List the numbers and class names in the prose for which nothing vouches.

In a notebook, the outputs and the code of the same section vouch for them; for its
introduction, summary, exercises and figures, all its outputs. On a page, the cells,
pictures and records do that the section names. What comes from elsewhere is listed in
constants.txt; a line with @ holds as long as the baseline has a hash that begins so.
Whole numbers below ten are read only in sizes, as in 3 x 3, and as counts of layers.
"""

import functools
import itertools
import json
import re

import yaml

from helpers.data import SUPERCLASSES
from tools.common.paths import ROOT

PAGES = "*.md", "index.qmd", "slides/*.qmd", "pages/*.qmd", "notebooks/*.ipynb"
WORDS = "zero one two three four five six seven eight nine ten many".split()
LAYERS = {"convolutions": "(Conv2D)", "poolings": "(Max", "dense layers": "(Dense)"}
NAMES = {name for names in SUPERCLASSES.values() for name in names.split()}
NAMES = "|".join(NAMES - {"can", "plain", "table", "train"}).replace("_", " ")
NAMES += f"|(?:two(?= d)|{'|'.join(WORDS[3:])}) (?:{'|'.join(LAYERS)})"
NAME = re.compile(rf"\b({NAMES})(?=e?s?\b)", re.I)
ONE = r"(?:\d{1,3}(?:[,_]\d{3})+|\d+)(?:\.\d+)?(?!\d|\.\d|[,_]\d{3})"
NUMBER = re.compile(rf"(?<![\w.,$#/-])(?!0\d)({ONE})(%| percent)?(?![\w/])")
SIZE = re.compile(rf"(?<![\w.]){ONE}(?: ?(?:[\u00d7*]|by) ?{ONE})+")
SHAPE = re.compile(rf"\d+(?:, {ONE})+")
# Addresses, tags, attributes, years, minutes of a plan, and numbers of lists.
LEFT_OUT = r"\]\([^)]*\)|</?\w[^>]*>|\{\{.*?\}\}|https?://\S+|\b(?:19|20)\d\d\b|^\d+\. "
LEFT_OUT += r"|\d+ min\b|\[\d+ minutes\]|Minutes \d+ to \d+|\{(?!fig-alt)[^{}]*\}"


def read(number, unit):
    """Return the value of a number, its decimals, and whether it is in percent."""
    number = re.sub("[,_]", "", number)
    return float(number), len(number.partition(".")[2]), bool(unit)


@functools.cache
def known(text):
    """Return the numbers, sizes and names in a text; 0.542 and 54.2 are 54.2%, too."""
    numbers = {read(*found) for found in NUMBER.findall(text)}
    numbers |= {(value, more, True) for value, more, _ in numbers if more}
    numbers |= {(100 * value, more - 2, True) for value, more, _ in numbers if more > 1}
    sizes = [re.findall(ONE, s) for s in SIZE.findall(text) + SHAPE.findall(text)]
    names = {name.lower() for name in NAME.findall(text.replace("_", " "))}
    return numbers, "".join(f"*{'*'.join(size)}*" for size in sizes), names


def missing(line, text, figure):
    """Yield what a line says and a text does not; it may have more decimals."""
    numbers, sizes, names = known(text)
    for size in SIZE.findall(line):
        if f"*{'*'.join(re.findall(ONE, size))}*" not in sizes:
            yield size
    for found in NUMBER.findall(SIZE.sub("", line)):
        value, decimals, percent = read(*found)
        rounded, half = decimals or percent or figure, 0.5 / 10**decimals + 1e-9
        if len("".join(found)) > 1 and not any(
            abs(other - value) <= half and (more >= decimals if rounded else not more)
            for other, more, unit in numbers
            if unit == percent or figure
        ):
            yield "".join(found)
    yield from {name for name in NAME.findall(line) if name.lower() not in names}


def load(path):
    """Yield (key, line, source, what vouches, output) of each cell, or of a page."""
    lines, at = path.read_text("utf-8").splitlines(), 0
    if path.suffix != ".ipynb":
        yield path.stem, 1, "\n".join(lines), None, ""
        return
    for cell in json.loads("\n".join(lines))["cells"]:
        at = lines.index(f'   "id": "{cell["id"]}",', at)
        at = next(n for n in range(at, len(lines)) if '   "source": [' in lines[n])
        outputs = [{**o, **o.get("data", {})} for o in cell.get("outputs", [])]
        shown = [o.get("text", o.get("text/plain", "")) for o in outputs]
        shown = "\n".join(map("".join, shown))
        source, own = "".join(cell["source"]), None
        if cell["cell_type"] == "code":  # but a solution vouches for nothing
            code = "" if "solution" in str(cell["metadata"]) else source
            own = re.sub(r"(?m)^#\|.*", "", code) + "\n" + shown
        key = re.search(r"#\| label: (\S+)|$", source)[1] or cell["id"]
        yield f"{path.stem}#{key}", at + 2, source, own, shown


def stale(root=ROOT):
    """Yield `path:line: what` for each place that has to be mended."""
    paths = [path for pattern in PAGES for path in sorted(root.glob(pattern))]
    pages = {path.relative_to(root).as_posix(): [*load(path)] for path in paths}
    values = yaml.safe_load((root / "_variables.yml").read_text("utf-8"))
    vouchers = {f"var.{group}": str(entries) for group, entries in values.items()}
    vouchers |= {key: own for c in pages.values() for key, _, _, own, _ in c if own}
    for path in [*root.glob("images/*.svg"), *root.glob("runs/*.json")]:
        text = re.sub("<[^>]*>", " ", path.read_text("utf-8"))
        vouchers[path.relative_to(root).as_posix()] = text
    summary = vouchers.get("02-model#network-summary", "")
    counts = {name: min(summary.count(mark), 11) for name, mark in LAYERS.items()}
    constants = {"*": " ".join(f"{WORDS[n]} {name}" for name, n in counts.items())}
    records = "".join(
        p.read_text("utf-8") for p in root.glob("runs/baseline/*/run.json")
    )

    def vouching(text):
        text = text.replace(".ipynb#", "#")
        keys = re.findall(r"[\w-]+#[\w-]+|\w+/\w+\.(?:svg|json)|var\.\w+", text)
        return "\n".join(vouchers.get(key, "") for key in keys)

    text = (root / "tools/pages/constants.txt").read_text("utf-8")
    for page, since, items in re.findall(r"(?m)^(\S+)(?: @(\w+))? (.*)$", text):
        if not since or f'": "{since}' in records:
            constants[page] = f"{constants.get(page, '')}\n{items}\n{vouching(items)}"
    for page, cells in pages.items():
        outputs, lines, section = "\n".join(shown for *_, shown in cells), [], 0
        for _, at, source, own, _ in cells:
            for number, line in enumerate(source.splitlines(), at):
                section += line.startswith("## ") and own is None
                lines.append((section, number, line, own))
        for section, found in itertools.groupby(lines, lambda line: line[0]):
            _, numbers, texts, owns = zip(*found, strict=True)
            near = [constants["*"], constants.get(page, ""), vouching("\n".join(texts))]
            near = "\n".join([*near, *{own for own in owns if own}])
            whole = not section or re.match("## (Summary|Try it)", texts[0])
            for number, line, own in zip(numbers, texts, owns, strict=True):
                figure = bool(re.match(r"#\| fig-(cap|alt)|.*!\[", line))
                if own is None or figure:
                    by = near + outputs if whole or figure else near
                    for what in missing(re.sub(LEFT_OUT, " ", line), by, figure):
                        yield f"{page}:{number}: {what}"


if __name__ == "__main__":
    raise SystemExit("\n".join(stale()) or None)

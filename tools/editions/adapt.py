"""Change what the lecture is about: other data, fewer notebooks and pages.

    python -m tools.editions.adapt data
    python -m tools.editions.adapt without notebooks/transfer.ipynb pages/play.qmd

`data` lets the titles follow the name that `load_data` gives, and removes the cells
that are about CIFAR-100 alone. `without` removes notebooks and pages with all that
leads to them: entries of the sidebar, links, embedded cells, records that nothing else
reads. Both change files that git holds: commit before, and `git diff` shows every
sentence to read again. `without` refuses to remove what is not committed.
"""

import argparse
import ast
import json
import os
import re
import shutil

import nbformat

from helpers import DataError, load_data
from helpers.export import NOTEBOOKS, exported_cells, module_text, write_module
from helpers.runs import RUNS
from tools.common.files import write_whole
from tools.common.markdown import without_divs_that, without_links
from tools.common.paths import ROOT
from tools.common.provenance import git, own_repository
from tools.recording.jobs import TABLE

# Where the name of the data stands in a title: "CNN on the CIFAR-100 data".
TITLED = "_quarto.yml index.qmd slides/index.qmd README.md CITATION.cff pyproject.toml"
TITLE = re.compile(r"(?<=CNN on the )(.+?)(?= data\b)")
CLASSES = re.compile(r"(?<=a network to tell )\d+(?= kinds of things apart)")
TAG = "cifar-100"  # of a cell that is about this data alone
# What has no use without a notebook or page.
BELONGS = {
    "notebooks/large.ipynb": ["notebooks/benchmark.ipynb"],
    "notebooks/benchmark.ipynb": ["notebooks/large.ipynb"],
    "notebooks/lecture-in-pytorch.ipynb": [
        "pages/languages.qmd",
        "tests/test_torch.py",
    ],
    "notebooks/lecture-in-r.ipynb": [
        "pages/languages.qmd",
        "tests/test_r.py",
        ".github/workflows/r.yml",
    ],
    "notebooks/04-testing.ipynb": ["slides/index.qmd"],  # which draw its results
    "pages/program.qmd": ["lecture.py", "tests/test_program.py"],
    "pages/yours.qmd": ["tests/test_yours.py"],
    "slides/index.qmd": ["tests/test_slides.py"],
}
SLIDES = "slides/index.qmd"
# The mean of a group that is shown has a training of another group in it.
TOGETHER = {"clock": "large"}
# What the front page shows of a notebook's results.
SHOWN = {"notebooks/05-improving.ipynb": "improved", "notebooks/large.ipynb": "large"}
# A heading, such as that of a tab, below which nothing stands.
EMPTY = re.compile(r"^####* .*\n\s*(?=^:::)", re.M)
# The network at work on the front page.
FRONT = re.compile(
    r"^```\{=html\}\n(?:(?!```).*\n)*<div id=\"front\"(?:.*\n)*?```\n+", re.M
)


def code_of(path):
    """Return the code of a notebook as one text."""
    cells = nbformat.read(path, as_version=4).cells
    return "\n".join(cell.source for cell in cells if cell.cell_type == "code")


def defined(name):
    """Return what a notebook defines for others."""
    if not name.endswith(".ipynb"):
        return set()
    names = set()
    for cell in exported_cells(ROOT / name):
        for node in ast.parse(cell).body:
            targets = node.targets if isinstance(node, ast.Assign) else [node]
            names.update(getattr(t, "id", getattr(t, "name", None)) for t in targets)
    return names


def imported(path):
    """Return what a notebook imports of what others define."""
    lines = r"^from helpers\.recipes import (\([^)]*\)|.*)"
    return set(re.findall(r"\w+", " ".join(re.findall(lines, code_of(path), re.M))))


def with_dependents(names):
    """Return names of files, and those of files that have no use without them."""
    wanted = [*names]
    for name in wanted:  # which grows meanwhile
        needing = BELONGS.get(name, [])
        gone = defined(name)
        for path in sorted(NOTEBOOKS.glob("*.ipynb")) if gone else []:
            if gone & imported(path):
                needing = [*needing, f"notebooks/{path.name}"]
        wanted += [x for x in needing if x not in wanted and (ROOT / x).exists()]
    return wanted


def unread_groups(names):
    """Return the groups of records that only these notebooks and pages read."""
    code = {f"notebooks/{p.name}": code_of(p) for p in NOTEBOOKS.glob("*.ipynb")}
    if (ROOT / SLIDES).exists():
        code[SLIDES] = (ROOT / "tools/pages/slides.py").read_text(encoding="utf-8")
    found = {}
    for group in TABLE:
        literal = re.compile(rf"[\"']{group.name}[\"'/]")
        found[group.name] = {name for name in code if literal.search(code[name])}
    unread = [name for name, read in found.items() if read and read <= {*names}]
    return [name for name in unread if TOGETHER.get(name, name) in unread]


def without_entries(text, names):
    """Return _quarto.yml without entries of the sidebar, and without empty sections."""
    for name in names:
        entry = rf"^ +- href: {re.escape(name)}\n +text: .*\n"
        text = re.sub(entry, "", text, flags=re.M)
    if SLIDES in names:
        text = re.sub(rf"^ +- {SLIDES}\n", "", text, flags=re.M)
    return re.sub(r"^( +)- section: .*\n\1  contents:\n(?!\1 +-)", "", text, flags=re.M)


def without_rows(text, names):
    """Return a README without the rows of its tables that are about these files."""
    kept = []
    for line in text.splitlines(keepends=True):
        first = line.split("|")[1] if line.startswith("| [") else ""
        links = re.findall(r"\]\(([^)]+)\)", first)
        if line.startswith("    "):  # of the list of files
            links = line.split()[:1]
        if not links or not {*links} <= {*names}:
            kept.append(line)
    return "".join(kept)


def without_embeds(text, files, labels=()):
    """Return a page without embedded cells; a slide goes with the cell that it shows.

    Parameters
    ----------
    text : str
        The page.
    files : list of str
        Notebooks of which no cell is left.
    labels : list of (str, str)
        Single cells, as the file and the label.
    """
    wanted = [rf"{re.escape(file)}#\S+" for file in files]
    wanted += [rf"{re.escape(file)}#{re.escape(label)}" for file, label in labels]
    if not wanted:
        return text
    embed = re.compile(rf"^{{{{< embed /?(?:{'|'.join(wanted)})(?: .*)?>}}}}\n", re.M)
    if "revealjs" not in text:
        shown = embed.sub("", text)
        return text if shown == text else EMPTY.sub("", shown)
    slides = re.split(r"^(?=##? )", text, flags=re.M)
    return "".join(slide for slide in slides if not embed.search(slide))


def without_boxes(text, names):
    """Return a page without the boxes about files that are gone."""
    gone = [rf"\{{\{{< var {SHOWN[name]}\." for name in names if name in SHOWN]
    gone += [rf"^\*\*\[[^]]*\]\([^)]*{re.escape(name)}\)\*\*$" for name in names]
    if "pages/play.qmd" in names:  # the front page has its network at work as well
        text = FRONT.sub("", text)
    about = re.compile("|".join(gone), re.M)
    return without_divs_that(text, about.search) if gone else text


def without_tests(text, names):
    """Return a workflow without the tests and the job of what is gone."""
    for name in names:
        if name.startswith("tests/"):  # but for a line that is about nothing else
            test = re.escape(name)
            text = re.sub(rf" {test}(?= tests/)|(?<=\.py) {test}", "", text)
    if "notebooks/lecture-in-pytorch.ipynb" in names:
        job = r"^  pytorch:\n(?:(?: {4}.*)?\n)+(?=  \w)"
        text = re.sub(job, "", text, flags=re.M).replace(" pytorch,", "")
    return text


def rewrite(path, change):
    """Change a text file, if there is anything to change."""
    old = path.read_text(encoding="utf-8")
    new = change(old)
    if new != old:
        write_whole(path, new)


def rewrite_cells(path, change):
    """Change the texts of a notebook, if there is anything to change."""
    notebook = nbformat.read(path, as_version=4)
    old = [cell.source for cell in notebook.cells]
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = change(cell.source)
    if [cell.source for cell in notebook.cells] != old:
        write_whole(path, nbformat.writes(notebook) + "\n")


def pages():
    """Return the pages of the lecture and its slides."""
    return [path for place in ("*.qmd", "*/*.qmd") for path in sorted(ROOT.glob(place))]


def refuse(names):
    """Stop if a name stands for no notebook and no page."""
    for name in names:
        if not re.fullmatch(r"notebooks/[^/]+\.ipynb|(pages|slides)/[^/]+\.qmd", name):
            raise SystemExit(
                f"Nothing was left out: {name} is neither a notebook nor a page: name"
                " it like notebooks/transfer.ipynb or pages/play.qmd."
            )
        if not (ROOT / name).is_file():
            raise SystemExit(f"Nothing was left out: there is no {name}.")
        if "build_model" in defined(name):
            raise SystemExit(
                f"Nothing was left out: {name} defines the network (`build_model`), and"
                " no other part works without it: change its cells, as pages/adapt.qmd"
                " describes."
            )


def refuse_unsaved(paths):
    """Stop if something of these paths would be lost: git does not hold it."""
    if not own_repository():
        raise SystemExit(
            "Nothing was left out: this copy has no history from which what is removed"
            " could be restored: run git init, git add . and git commit first."
        )
    changed = git("status", "--porcelain", "--untracked-files=all", "--", *paths)
    if changed:
        names = ", ".join(line[3:] for line in changed.splitlines()[:5])
        raise SystemExit(
            f"Nothing was left out: {names} would be removed and differs from the last"
            " commit: commit first, so that nothing is lost."
        )


def leave_out(names):
    """Remove notebooks and pages, and what leads to them."""
    refuse(names)
    names = with_dependents(names)
    groups = [group for group in unread_groups(names) if (RUNS / group).is_dir()]
    refuse_unsaved([*names, *[f"runs/{group}" for group in groups]])
    for name in names:
        (ROOT / name).unlink()
    for group in groups:
        shutil.rmtree(RUNS / group)
    forget_links(names)
    forget_numbers(names)
    write_module(module_text())
    print("Left out:", ", ".join(names))
    if groups:
        print("Records that nothing reads any more:", ", ".join(groups))
    print("Read again what `git diff` shows, then run make notebooks and make site.")


def forget_links(names):
    """Remove what leads to files that are gone, and what was shown of them."""
    rewrite(ROOT / "_quarto.yml", lambda text: without_entries(text, names))
    rewrite(ROOT / "README.md", lambda text: without_rows(text, names))
    for path in pages():
        rewrite(path, lambda text: without_embeds(text, names))
        rewrite(path, lambda text: without_boxes(text, names))
    for path in [*ROOT.glob(".github/workflows/*.yml"), ROOT / "CONTRIBUTING.md"]:
        rewrite(path, lambda text: without_tests(text, names))
    for path in [*pages(), *ROOT.glob("*.md")]:
        rewrite(path, lambda text: without_links(text, names))
    for path in NOTEBOOKS.glob("*.ipynb"):
        rewrite_cells(path, lambda text: without_links(text, names))


def forget_numbers(names):
    """Remove answers and times of notebooks that are gone."""
    stems = {os.path.splitext(os.path.basename(name))[0] for name in names}
    answers = ROOT / "helpers" / "answers.json"
    known = json.loads(answers.read_text(encoding="utf-8"))
    kept = {name: known[name] for name in known if name not in stems}
    if kept != known:
        write_whole(answers, json.dumps(kept, indent=1, sort_keys=True) + "\n")
    first, *rows = (RUNS / "notebooks.csv").read_text("utf-8").splitlines(keepends=True)
    kept = [row for row in rows if row.split(",")[0] not in stems]
    write_whole(RUNS / "notebooks.csv", "".join([first, *kept]))


def titled(text, name, classes):
    """Return a text whose titles name the data."""
    return CLASSES.sub(str(classes), TITLE.sub(lambda _: name, text))


def without_tagged(notebook):
    """Remove the cells about CIFAR-100 alone; return their labels."""
    labels = []
    kept = []
    for cell in notebook.cells:
        if TAG in cell.metadata.get("tags", []):
            found = re.search(r"^#\| *label: *(\S+)", cell.source, re.M)
            labels.append(found[1] if found else cell.id)
        else:
            kept.append(cell)
    notebook.cells = kept
    return labels


def follow_data():
    """Let titles and cells follow the data that `load_data` gives."""
    try:
        data = load_data(download=False)
    except (DataError, OSError) as error:
        raise SystemExit(f"Nothing was changed: {error}") from None
    except ImportError as error:
        raise SystemExit(
            f"Nothing was changed: load_data needs {error.name}, which is not in .venv:"
            " install it with .venv/bin/pip, and name it in pyproject.toml."
        ) from None
    name = data.stands_for or data.name
    for file in TITLED.split():
        rewrite(ROOT / file, lambda text: titled(text, name, data.num_classes))
    print(f"The titles name {name} and its {data.num_classes} classes.")
    if name == "CIFAR-100":
        return
    gone = []
    for path in sorted(NOTEBOOKS.glob("*.ipynb")):
        notebook = nbformat.read(path, as_version=4)
        labels = without_tagged(notebook)
        if labels:
            write_whole(path, nbformat.writes(notebook) + "\n")
            gone += [(f"notebooks/{path.name}", label) for label in labels]
    for path in pages():
        rewrite(path, lambda text: without_embeds(text, [], gone))
    for file, label in gone:
        print(f"{file}: the cell {label} is gone; change the paragraphs around it.")


def main():
    parser = argparse.ArgumentParser(
        prog="python -m tools.editions.adapt",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("data")
    commands.add_parser("without").add_argument("files", nargs="+", metavar="FILE")
    given = parser.parse_args()
    if given.command == "data":
        follow_data()
    else:
        leave_out([os.path.normpath(file).replace("\\", "/") for file in given.files])


if __name__ == "__main__":
    main()

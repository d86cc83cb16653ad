"""The page on another data set, followed word by word with the digits."""

import ast
import importlib.util
import json
import re

import nbformat
import numpy as np
import pytest
import small_lecture
import yaml
from conftest import NOTEBOOKS, ROOT, git, run

from helpers import DataError, Dataset, load_cifar100, load_data
from tools.editions import adapt
from tools.editions.adapt import TAG, TITLED, pages, titled

PAGE = (ROOT / "pages/adapt.qmd").read_text(encoding="utf-8")
COUNTING = ("np.log", "range", "np.eye", "layers.Dense", "keras.utils.to_categorical")
LEFT_OUT = re.search(r"tools\.editions\.adapt without (notebooks/05.*)", PAGE)[
    1
].split()


@pytest.fixture
def tool(clone):
    """Return a function that runs a tool of the clone, which must not fail."""

    def call(name, *arguments):
        status, said = small_lecture.tool(clone, name, *arguments)
        assert status == 0, said
        return said

    return call


def put(clone, *blocks):
    """Put blocks of code from the page into the cells of part 2 that they replace."""
    [path] = clone.glob("notebooks/02*.ipynb")
    notebook = nbformat.read(path, as_version=4)
    first = re.compile(r"(?:#.*\n)*(.*?)(?: = |$)", re.M)  # what a cell defines
    cells = {first.match(c.source)[1]: c for c in notebook.cells}
    for block in blocks:
        cells[first.match(block)[1]].source = block
    nbformat.write(notebook, path)


def pretend_recorded(clone, group):
    """Let the trainings of a group say that they were made on the new data.

    They are twenty, and their numbers do not matter here.
    """
    [new] = clone.glob("runs/baseline/*")
    told = json.loads((new / "run.json").read_text(encoding="utf-8"))
    for path in clone.glob(f"runs/{group}/*/run.json"):
        old = json.loads(path.read_text(encoding="utf-8"))
        record = {**old, "data_sha256": told["data_sha256"]}
        path.write_text(json.dumps(record), encoding="utf-8")


def check_nothing_leads_to_what_was_left_out(clone, said):
    gone = re.search("Left out: (.*)", said)[1].split(", ")
    assert {*LEFT_OUT, "pages/languages.qmd"} <= {*gone}
    assert not any((clone / name).exists() for name in gone)
    for path in [*pages(), *ROOT.glob("*.md"), *ROOT.glob("notebooks/*.ipynb")]:
        copy = clone / path.relative_to(ROOT)
        text = copy.read_text(encoding="utf-8") if copy.exists() else ""
        for name in gone:
            file = re.escape(name.removeprefix("notebooks/").removeprefix("pages/"))
            assert not re.search(rf"\]\([^)\s]*\b{file}|embed \S*{file}", text), path
    config = yaml.safe_load((clone / "_quarto.yml").read_text(encoding="utf-8"))
    for workflow in clone.glob(".github/workflows/*.yml"):
        text = workflow.read_text(encoding="utf-8")
        jobs = yaml.safe_load(text)["jobs"]
        for job in jobs.values():
            assert {*job.get("needs", [])} <= {*jobs}, workflow.name
        for name in re.findall(r"\b(?:tests|notebooks)/\w\S*\.\w+", text):
            assert (clone / name).exists(), f"{workflow.name} runs {name}"
    entries = [*config["website"]["sidebar"]["contents"]]
    for entry in entries:  # which grows meanwhile
        assert "contents" not in entry or entry["contents"], entry
        entries += entry.get("contents", [])
        assert "href" not in entry or (clone / entry["href"]).exists(), entry
    before = (ROOT / "index.qmd").read_text(encoding="utf-8")
    front = (clone / "index.qmd").read_text(encoding="utf-8")
    assert front.count("\n::: {") == front.count("\n:::\n"), "each box is closed"
    for lost in ('id="front"', "var improved", "var large", "notebooks/05-improving"):
        assert lost in before and lost not in front
    for kept in ('id="learn"', "notebooks/04-testing.ipynb"):
        assert kept in before and kept in front
    gone = {"improving", "large", "transfer", "r"}
    groups = {path.name for path in clone.glob("runs/*/")}
    assert not gone & groups and {"baseline", "few"} <= groups
    answers = json.loads((clone / "helpers/answers.json").read_text("utf-8"))
    assert {*answers} <= {path.stem for path in clone.glob("notebooks/*.ipynb")}


def test_digits_take_the_place_of_cifar_100(clone, tool):
    if load_data is not load_cifar100:
        pytest.skip("another data set has taken its place already")
    load, *blocks = re.findall(r"(?s)```python\n(.*?)\n```", PAGE)[:3]
    path = clone / "helpers/data.py"
    text, changes = re.subn(
        "load_data = load_cifar100.*", lambda _: load, path.read_text("utf-8")
    )
    assert changes == 1
    path.write_text(text, encoding="utf-8")
    said = tool("editions.adapt", "data")
    tagged = sum(p.read_text("utf-8").count(f'"{TAG}"') for p in NOTEBOOKS)
    assert said.count("is gone; change the paragraphs") == tagged > 0, said
    git(clone, "commit", "-qam", "x")
    said = tool("editions.adapt", "without", *LEFT_OUT)
    check_nothing_leads_to_what_was_left_out(clone, said)
    tool("recording")  # lists the runs that are left
    put(clone, *blocks)
    tool("notebooks.export")
    git(clone, "commit", "-qam", "x")
    tool("recording", "baseline", "--epochs", "3")
    record, old = (
        json.loads(next(at.glob("runs/baseline/*/run.json")).read_text("utf-8"))
        for at in (clone, ROOT)
    )
    assert record["images"] == 1150 and record["epochs"] == 3
    assert not {*record["data_sha256"].values()} & {*old["data_sha256"].values()}
    pretend_recorded(clone, "few")
    notebooks = sorted(clone.glob("notebooks/0*.ipynb"))
    assert len(notebooks) == 4
    for path in notebooks:
        drawn = path.read_text(encoding="utf-8").count('"image/png"')
        tool("notebooks.execute", path)
        text = path.read_text(encoding="utf-8")
        asked = set(re.findall(r'check\((?:answer_\d+|\w+), \\"', text))
        assert text.count('"answer": ') >= len(asked) > 0, "each has its own answer"
        assert text.count('"image/png"') == drawn > 0, "as many as of CIFAR-100"
    assert "ln 10: " in notebooks[1].read_text(encoding="utf-8")
    assert "lecture.py" not in (clone / "README.md").read_text(encoding="utf-8")
    assert "digits" in notebooks[0].read_text(encoding="utf-8")
    config = yaml.safe_load((clone / "_quarto.yml").read_text(encoding="utf-8"))
    assert config["website"]["title"] == "CNN on the digits data"
    assert "tell 10 kinds of things apart" in config["website"]["description"]
    if importlib.util.find_spec("smalldocs"):
        tool("pages.render")


def test_titles_follow_the_name_of_the_data():
    name = load_data().stands_for or load_data().name
    for file in TITLED.split():
        text = (ROOT / file).read_text(encoding="utf-8")
        assert f"CNN on the {name} data" in text, "python -m tools.editions.adapt data"
        assert titled(text, name, load_data().num_classes) == text, file


LEAVING_OUT = """
import re, subprocess, sys
from tools.common.paths import ROOT
from tools.editions import adapt
from tools.pages import render, slides

for path in sorted(ROOT.glob("notebooks/*.ipynb")):
    name = f"notebooks/{path.name}"
    try:
        adapt.leave_out([name])
    except SystemExit as error:
        print("refused", name, error)
        continue
    render.variables()
    if (ROOT / adapt.SLIDES).exists():
        for draw in (slides.confidence, slides.results, slides.seeds):
            draw()  # these read notebooks, or records that may be gone
        slides.plt.close("all")
    for page in adapt.pages():
        text = page.read_text(encoding="utf-8")
        for target, label in re.findall(r"embed /?(\\S+?)#(\\S+)", text):
            assert f"#| label: {label}" in (ROOT / target).read_text("utf-8"), page
        assert not adapt.EMPTY.search(text), page
    print("left out", name)
    subprocess.run(["git", "checkout", "-q", "."], check=True)
"""


def test_each_notebook_can_be_left_out_alone_or_is_needed_by_all(clone):
    """Numbers, figures of the slides and embedded cells are there without it."""
    environment = small_lecture.environment(clone)
    status, said = run("-c", LEAVING_OUT, cwd=clone, env=environment)
    assert status == 0, said
    refused = re.findall(r"^refused (\S+)", said, re.M)
    assert refused == ["notebooks/02-model.ipynb"] and "defines the network" in said
    assert len(re.findall(r"^left out ", said, re.M)) == len(NOTEBOOKS) - 1


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("notebooks/transfr.ipynb", "there is no notebooks/transfr.ipynb"),
        ("README.md", "README.md is neither a notebook nor a page"),
        ("pages/../index.qmd", "index.qmd is neither a notebook nor a page"),
    ],
)
def test_what_cannot_be_left_out_is_one_sentence(name, sentence):
    status, said = run("-m", "tools.editions.adapt", "without", name, cwd=ROOT)
    assert status == 1 and len(said.splitlines()) == 1 and sentence in said


@pytest.mark.parametrize("name", ["large.ipynb", "benchmark.ipynb"])
def test_what_is_not_committed_is_not_removed(name, clone):
    """Neither what was named nor what would go with it."""
    path = clone / "notebooks" / name
    path.write_text(path.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    command = ["-m", "tools.editions.adapt", "without", "notebooks/large.ipynb"]
    status, said = run(*command, cwd=clone)
    assert status == 1 and f"{name} would be removed and differs from" in said
    assert path.exists() and (clone / "runs" / "ablation").exists()


def test_data_of_another_form_is_one_sentence():
    images, labels = np.zeros((5, 8, 8, 1), np.uint8), np.zeros((5, 1), np.uint8)
    for pair in (images[..., 0], labels), (images / 255, labels), (images, labels[0]):
        with pytest.raises(DataError, match="use astype and reshape"):
            Dataset((images, labels), pair, ["one"], "some")


def test_a_package_that_the_data_needs_is_one_sentence(monkeypatch):
    def load(download):
        raise ModuleNotFoundError("No module named 'sklearn'", name="sklearn")

    monkeypatch.setattr(adapt, "load_data", load)
    with pytest.raises(SystemExit, match="load_data needs sklearn, which is not in"):
        adapt.follow_data()


def test_labels_without_a_name_are_one_sentence():
    """As of data whose labels count from 1."""
    images, labels = np.zeros((2, 8, 8, 1), np.uint8), np.array([[1], [2]], np.uint8)
    with pytest.raises(DataError, match=r"labels up to 2 and 2 names .* from 0 to 1"):
        Dataset((images, labels), (images, labels), ["one", "two"], "some")


def test_arrays_in_a_file_are_read_as_the_page_says(tmp_path):
    [block] = re.findall(r"(?s)```python\n([^`]*np\.load[^`]*)\n```", PAGE)
    images, labels = np.zeros((2, 8, 8, 3), np.uint8), np.array([0, 1], np.uint8)
    parts = {"x_train": images, "y_train": labels, "x_test": images, "y_test": labels}
    np.savez(tmp_path / "shapes.npz", **parts, names=np.array(["circle", "square"]))
    names = {"np": np, "Dataset": Dataset}
    exec(block.replace("/data/shapes", tmp_path.as_posix()), names)
    data = names["load_data"]()
    assert data.class_names == ["circle", "square"] and data.test[1].tolist() == [
        [0],
        [1],
    ]


def test_nothing_of_parts_1_to_4_counts_on_100_classes():
    """But for the cells that are about CIFAR-100 and the count by hand."""
    for path in ROOT.glob("notebooks/0[1-4]*.ipynb"):
        for cell in nbformat.read(path, as_version=4).cells:
            if cell.cell_type == "code" and TAG not in cell.metadata.get("tags", []):
                code = ast.parse(re.sub(r"(?m)^[%!].*", "", cell.source))
                for call in ast.walk(code):
                    if (
                        isinstance(call, ast.Call)
                        and ast.unparse(call.func) in COUNTING
                    ):
                        given = [*call.args, *(word.value for word in call.keywords)]
                        said = ast.unparse(call)
                        assert "100" not in map(ast.unparse, given), said

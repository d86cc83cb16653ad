"""The report of what the prose says and no output, record or constant does."""

import re

import nbformat
from conftest import load_tool

stale = load_tool("stale").stale
# What another network changes in outputs, records and pictures: here, one without the
# fourth convolution; which line goes, and what stands in the place of what.
GONE = re.compile(r".*(?:conv2d_3|pooling2d_3|256).*\n|.*layers\.(?:Conv2D\(256).*\n")
CHANGED = {
    "964,?516": "1,193,636",
    "44.0%": "41.2%",
    "0.4403": "0.4123",
    "0d6071766": "aaaaaaaaa",
}
CHANGED |= {
    "otter": "skunk",
    "epoch 15": "epoch 12",
    "\n15 ": "\n12 ",
    "1,024": "2,048",
}
# Where the old network is spoken of, and in which words.
PLACES = {
    "README.md": {"964,516"},
    "index.qmd": {"78%", "oak tree"},
    "slides/index.qmd": {"1,024", "256", "four convolutions"},
    "pages/play.qmd": {"whale"},
    "pages/r.qmd": {"2 * 2 * 256", "256"},
    "notebooks/02-model.ipynb": {
        *(
            "964,516",
            "four convolutions",
            "256",
            "2 \u00d7 2 \u00d7 256",
            "2 by 2 by 256",
        )
    },
    "notebooks/03-training.ipynb": {"15"},
    "notebooks/04-testing.ipynb": {"44.0%", "Otter", "22", "house"},
}


def change(text):
    for old, new in CHANGED.items():
        text = re.sub(old, new, text)
    return GONE.sub("", text)


def test_nothing_in_the_prose_is_stale():
    assert list(stale()) == []


def test_another_network_is_reported_wherever_the_old_one_is_spoken_of(clone):
    for path in clone.glob("notebooks/*.ipynb"):
        notebook = nbformat.read(path, as_version=4)
        for cell in notebook.cells:
            for output in cell.get("outputs", []):
                output.update({k: change(v) for k, v in output.items() if k == "text"})
                if "data" in output and "text/plain" in output.data:
                    output.data["text/plain"] = change(output.data["text/plain"])
            if cell.id in ("02-22", "02-28"):
                cell.source = GONE.sub("", cell.source)
        nbformat.write(notebook, path)
    for path in (*clone.glob("runs/baseline/*/run.json"), clone / "_variables.yml"):
        path.write_text(change(path.read_text("utf-8")), encoding="utf-8")
    picture = clone / "images" / "network.svg"
    picture.write_text(change(picture.read_text("utf-8")), encoding="utf-8")
    found = {}
    for place in stale(clone):
        page, line, what = re.fullmatch(r"(.*):(\d+): (.*)", place).groups()
        assert what in (clone / page).read_text("utf-8").splitlines()[int(line) - 1]
        found.setdefault(page, set()).add(what)
    assert {
        page: found.get(page, set()) & said for page, said in PLACES.items()
    } == PLACES

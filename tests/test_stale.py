"""The report of what the prose says, and no output, record or constant does."""

import json

import pytest

from tools.pages.stale import stale

# What another network, with fewer and wider layers, changes in outputs, code, records
# and pictures, and where the old network is spoken of.
CHANGED = {"964,516": "990,000", "964516": "990000", "256": "300", "512": "600"}
CHANGED |= {"(Conv2D)               \u2502 (None, 4": "(Other) (None, 4"}
CHANGED |= {"44.0%": "41.2%", "0.4403": "0.4123", "in epoch 15": "in epoch 12"}
CHANGED |= {'"15  ': '"12  ', "otter": "skunk", "0d6071766": "aaaaaaaaa"}
PLACES = """
README.md: 964,516
index.qmd: 78%
slides/index.qmd: four convolutions
slides/index.qmd: 512
pages/play.qmd: whale
notebooks/02-model.ipynb: 964,516
notebooks/02-model.ipynb: four convolutions
notebooks/02-model.ipynb: 2 \u00d7 2 \u00d7 256
notebooks/02-model.ipynb: 2 by 2 by 256
notebooks/02-model.ipynb: 512
notebooks/03-training.ipynb: 15
notebooks/04-testing.ipynb: 44.0%
notebooks/04-testing.ipynb: Otter
notebooks/04-testing.ipynb: house
"""


def change(text):
    for old, new in CHANGED.items():
        text = text.replace(old, new)
    return text


def test_nothing_in_the_prose_is_stale():
    assert list(stale()) == []


def test_another_network_is_reported_wherever_the_old_one_is_spoken_of(clone):
    if "964,516" not in (clone / "_variables.yml").read_text("utf-8"):
        pytest.skip("another network is taught: the places are those of ours")
    for path in (*clone.glob("images/*.svg"), *clone.glob("runs/*/*/run.json")):
        path.write_text(change(path.read_text("utf-8")), encoding="utf-8")
    values = clone / "_variables.yml"
    values.write_text(change(values.read_text("utf-8")), encoding="utf-8")
    for path in clone.glob("notebooks/*.ipynb"):
        notebook = json.loads(path.read_text("utf-8"))
        for cell in notebook["cells"]:
            for part in ("outputs", *["source"] * (cell["id"] in ("02-22", "02-28"))):
                text = json.dumps(cell.get(part, []), ensure_ascii=False)
                cell.update({part: json.loads(change(text))} if part in cell else {})
        text = json.dumps(notebook, indent=1, ensure_ascii=False)
        path.write_text(text, encoding="utf-8")
    found = set()
    for place in stale(clone):
        page, line, what = place.split(":", 2)
        assert what[1:] in (clone / page).read_text("utf-8").splitlines()[int(line) - 1]
        found.add(f"{page}:{what}")
    assert set(PLACES.split("\n")) - found == {""}

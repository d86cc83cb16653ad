import ast
import json
import re
import subprocess
import sys

import nbformat
import numpy as np
import pytest
from conftest import ROOT, load_tool

from helpers import dtype_policy, load_run, run_cells

NETWORK = """
import numpy as np, keras
x_train, y_train = np.ones((20, 4), "float32"), np.ones((20, 1), "float32")
keras.utils.set_random_seed(SEED)
model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
model.compile(loss="mse", optimizer="sgd", metrics=["accuracy"])
history = model.fit(
    x_train, y_train, epochs=2, verbose=0, callbacks=callbacks, validation_split=0.2
)
"""


@pytest.fixture
def improve():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CIFAR100_STAND_IN", "never")  # the script sets it for itself
        tool = load_tool("improve")
        patch.setattr(tool, "in_its_own_process", lambda f, *given: f(*given))
        yield tool


@pytest.fixture
def notebook(tmp_path):
    def code(source, tag):
        return nbformat.v4.new_code_cell(source, metadata={"tags": [tag]})

    heading = nbformat.v4.new_markdown_cell
    cells = [
        code("setup", "setup"),
        heading("## Steps\n\nText.\n\n### One\n\nText."),
        code("one", "step"),
        code("one more", "step"),
        nbformat.v4.new_code_cell("look"),
        heading("### Tried"),
        code("tried", "variant"),
        heading("### Two"),
        code("two", "step"),
        heading("### Large"),
        code("def train_large(): ...", "large"),
        heading("### All"),
        code("def refit_large(): ...", "large"),
        heading("### Train"),
        code("train", "train"),
    ]
    path = tmp_path / "some.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    return path


def test_steps_add_up_and_variants_do_not(improve, notebook):
    recipes = improve.recipes(improve.sections(notebook))
    assert {name: recipe.split("\n\n") for name, recipe in recipes.items()} == {
        "One": ["setup", "one", "one more", "train\n"],
        "Two": ["setup", "one", "one more", "two", "train\n"],
        "Tried": ["setup", "one", "one more", "tried", "train\n"],
    }
    recipes = improve.large_recipes(improve.sections(notebook))
    assert list(recipes) == ["Large", "All"]
    for recipe, function in zip(recipes.values(), ("train", "refit"), strict=True):
        assert recipe.startswith("setup\n\ndef train_large(): ...\n\ndef refit")
        assert recipe.endswith(f"model, history = {function}_large(SEED, callbacks)\n")


def test_recording_goes_on_where_it_was_killed(improve, tmp_path, monkeypatch):
    plan = [("One", NETWORK, 1, False), ("Two", NETWORK, 1, False)]
    trained = []

    def killed_in_the_second(function, *given):
        if trained:
            raise KeyboardInterrupt
        trained.append(given)
        return function(*given)

    with monkeypatch.context() as patch:
        patch.setattr(improve, "in_its_own_process", killed_in_the_second)
        with pytest.raises(KeyboardInterrupt):
            improve.record(tmp_path / "run", plan, NETWORK)
    assert not (tmp_path / "run").exists()
    monkeypatch.setattr(
        improve,
        "in_its_own_process",
        lambda function, *given: trained.append(given) or function(*given),
    )
    improve.record(tmp_path / "run", plan, NETWORK)
    assert len(trained) == 2
    run = load_run("run", tmp_path)
    assert run.history["step"].tolist() == ["One", "One", "Two", "Two"]
    assert run.history["epoch"].tolist() == [1, 2, 1, 2]
    assert run.record["recipe"]["parameters"] == {"One": 5, "Two": 5}
    assert run.weights is None
    assert not (tmp_path / "run.partial").exists()
    improve.record(tmp_path / "run", plan, NETWORK)
    assert len(trained) == 2, "the same cells are not recorded twice"


def test_other_cells_and_other_origins_are_refused(improve, tmp_path):
    partial = tmp_path / "run.partial"
    partial.mkdir()
    kept = {"step": "One", "recipe": "other", "history": {}}
    (partial / "One, seed 1.json").write_text(json.dumps(kept))
    plan = [("One", NETWORK, 1, False)]
    with pytest.raises(SystemExit, match="unfinished recording of other notebook"):
        improve.record(tmp_path / "run", plan, NETWORK)
    (partial / "origin.json").write_text('{"machine": "another"}')
    with pytest.raises(SystemExit, match="of another machine or other versions"):
        improve.record(tmp_path / "run", plan, NETWORK)


def program(source):
    return ast.unparse(ast.parse(source))


def test_recorded_runs_are_of_the_committed_cells(improve):
    found = improve.sections()
    for name, tags in (
        ("improving", ("setup", "step", "variant", "train")),
        ("large", ("setup", "large")),
    ):
        recorded = (improve.RUNS / name / "recipe.py").read_text(encoding="utf-8")
        assert program(recorded) == program(improve.program_of(found, *tags))


def test_recorded_steps_are_those_of_the_notebook(improve):
    run = load_run("improving")
    names = list(improve.recipes(improve.sections()))
    assert run.history["step"].drop_duplicates().tolist() == names
    seeds = run.history.groupby("step")["seed"].nunique()
    choice = run.record["test"][-1]["step"]
    assert seeds.drop(choice).eq(len(improve.SEEDS)).all()
    assert seeds[choice] == len(improve.SEEDS_OF_THE_CHOICE) >= 5
    assert run.history.groupby(["step", "seed"])["epoch"].max().eq(5).all()


def test_the_test_images_judge_the_choice_and_what_the_page_admits(improve, notebooks):
    test = load_run("improving").record["test"]
    choice = [name for tag, name, _ in improve.sections() if tag == "step"][-1]
    seeds = [row["seed"] for row in test if row["step"] == choice]
    assert seeds == list(improve.SEEDS_OF_THE_CHOICE)
    prose = " ".join(cell.source for cell in notebooks[improve.NOTEBOOK].cells)
    admitted = set(re.findall(r'"([^"]+)", was judged as well', prose))
    assert {row["step"] for row in test} == {choice} | admitted


@pytest.mark.skipif(sys.version_info < (3, 11), reason="needs Keras 3.13")
def test_muon_moves_filters_equally_far_in_all_directions(monkeypatch):
    monkeypatch.setenv("CIFAR100_STAND_IN", "always")
    names = run_cells("05-improving.ipynb", "setup", "large")
    keras, rng = names["keras"], np.random.default_rng(1)
    optimizer = names["muon"](steps=1000)
    filters = keras.Variable(np.zeros((3, 3, 8, 16), "float32"))
    dense = keras.Variable(np.zeros((16, 100), "float32"))
    steep = np.geomspace(0.1, 10, 16)  # in some directions, flat in others
    slopes = [rng.normal(size=filters.shape) * steep]
    # Far above the epsilon that AdamW adds.
    slopes.append(rng.choice([-1, 1], dense.shape) * rng.uniform(1, 2, dense.shape))
    optimizer.apply([s.astype("float32") for s in slopes], [filters, dense])
    moves = np.linalg.svd(np.array(filters).reshape(-1, 16), compute_uv=False) / 0.1
    spread = np.linalg.svd(slopes[0].reshape(-1, 16), compute_uv=False)
    assert spread[0] / spread[-1] > 20
    assert moves[0] / moves[-1] < 10 and 0.5 < moves[0] < 1.5
    # AdamW moves each weight by its learning rate at first.
    np.testing.assert_allclose(np.abs(dense), 0.1 * 0.03, rtol=1e-3)


def test_tensorflow_starts_without_messages_and_trains_without_pauses():
    program = (
        "from helpers import quiet_start\nwith quiet_start():\n    import keras\n"
        "import tensorflow as tf\nx = tf.data.Dataset.from_tensor_slices([1, 2])\n"
        "print(x.with_options(tf.data.Options()).options()._to_proto().autotune_options)"
    )
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert (done.stdout, done.stderr) == ("enabled: false\n\n", "")


@pytest.mark.parametrize(
    ("flags", "policy"),
    [("sse avx2", "float32"), ("avx2 avx512_bf16 sse", "mixed_bfloat16")],
)
def test_numbers_of_16_bits_only_where_they_are_fast(flags, policy, monkeypatch):
    class Cpuinfo:
        def __init__(self, path):
            assert path == "/proc/cpuinfo"

        def read_text(self):
            return f"flags\t\t: {flags}\n"

    monkeypatch.setattr("helpers.notebooks.Path", Cpuinfo)
    assert dtype_policy() == policy

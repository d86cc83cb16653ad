"""The lecture in PyTorch: with the weights of Keras, it computes the same."""

import importlib.util
import re

import numpy as np
import pytest
from conftest import NOTEBOOKS, ROOT

from helpers import load_data, load_run, load_weights
from tools.recording.jobs import PYTORCH_NOTEBOOK, jobs
from tools.recording.syntax import recorded_code

needs_torch = pytest.mark.skipif(
    importlib.util.find_spec("torch") is None,
    reason="PyTorch is not at hand: the lecture in PyTorch is not run",
)
CONVERTING = ("pt-copy-weights", "pt-keras-rmsprop")


@pytest.fixture(scope="module")
def cells(notebooks):
    """What the notebook defines, without its trainings."""
    from tools.recording.pytorch import recorded_cells

    found = vars(recorded_cells())
    for cell in notebooks[PYTORCH_NOTEBOOK.name].cells:
        if re.match(rf"#\| label: ({'|'.join(CONVERTING)})\n", cell.source):
            exec(cell.source, found)
    return found


@pytest.fixture(scope="module")
def keras_network():
    from helpers.recipes import build_model

    model = build_model(load_data())
    load_weights(model, load_run("baseline"))
    return model


def in_pytorch(cells, keras_network):
    model = cells["Network"](keras_network.output_shape[-1])
    cells["copy_weights"](keras_network, model)
    return model.to(cells["device"])


def test_no_part_of_the_lecture_needs_pytorch():
    for path in NOTEBOOKS:
        text = path.read_text(encoding="utf-8")
        if path != PYTORCH_NOTEBOOK:
            assert not re.search(r'^ +"import torch', text, re.M), path.name
    recipes = (ROOT / "helpers" / "recipes.py").read_text(encoding="utf-8")
    assert not re.search(r"^(import|from) torch", recipes, re.M)


def test_recorded_are_the_cells_with_the_loop_and_nothing_that_runs_it():
    code = recorded_code(PYTORCH_NOTEBOOK)
    for line in ("optimizer.zero_grad()", "loss.backward()", "optimizer.step()"):
        assert code.count(line) == 1, line
    assert not re.search(r"^train\(", code, re.M)
    [job] = [job for job in jobs() if job.group == "torch"]
    assert (job.function, job.epochs, job.tested) == ("PyTorch", 30, "end")


@needs_torch
def test_weights_of_keras_give_the_same_probabilities_and_accuracy(
    cells, keras_network, real_data
):
    x_test, y_test = load_data().test
    model = in_pytorch(cells, keras_network)
    torch, loaded = cells["torch"], cells["CIFAR100"](x_test, y_test)
    loader = cells["DataLoader"](loaded, batch_size=500)
    images, _ = next(iter(loader))
    model.eval()
    with torch.inference_mode():
        ours = model(images.to(cells["device"])).softmax(dim=1).cpu().numpy()
    theirs = keras_network.predict(x_test[:500], verbose=0)
    assert np.abs(ours - theirs).max() < 1e-5
    _, accuracy = cells["evaluate"](model, loader, cells["nn"].CrossEntropyLoss())
    assert round(accuracy, 4) == load_run("baseline").record["test"]["accuracy"]


@needs_torch
def test_weights_that_are_not_turned_are_noticed(cells, keras_network):
    """The comparison above can fail: the filters are square, so any order fits."""
    model = in_pytorch(cells, keras_network)
    images = cells["torch"].rand(8, 3, 32, 32)
    before = model.eval()(images.to(cells["device"]))
    with cells["torch"].no_grad():
        weight = model.features[0].weight
        weight.copy_(weight.transpose(2, 3).clone())
    after = model(images.to(cells["device"]))
    assert (before - after).abs().max() > 1e-3


@pytest.fixture
def double_precision():
    """Rounding is not what is compared: each step of float32 makes it larger."""
    import keras

    keras.config.set_dtype_policy("float64")
    yield
    keras.config.set_dtype_policy("float32")


@needs_torch
def test_ten_steps_without_dropout_have_the_losses_of_keras(cells, double_precision):
    import keras

    from helpers.recipes import without_dropout

    data, torch = load_data(), cells["torch"]
    x_train, y_train = data.train
    keras.utils.set_random_seed(425)
    start = without_dropout(data)
    start.compile(loss="sparse_categorical_crossentropy", optimizer="rmsprop")
    model = cells["Network"](data.num_classes).double().eval()
    cells["copy_weights"](start, model)
    optimizer = cells["KerasRMSprop"](model.parameters())
    for n in range(10):
        batch = slice(128 * n, 128 * (n + 1))
        part = cells["CIFAR100"](x_train[batch], y_train[batch])
        scores = model(part.images.double() / 255)
        loss = torch.nn.functional.cross_entropy(scores, part.labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        theirs = start.train_on_batch(x_train[batch], y_train[batch])
        assert abs(loss.item() - float(theirs)) < 1e-6, n + 1

"""Trainings that readers stop, repeat or change: a sentence, or the right result."""

import ast
import time

import nbformat
import pytest
from conftest import NOTEBOOKS
from jupyter_client.manager import start_new_kernel

# A callback interrupts its own process as a reader would, at a step where the time is
# spent in the engine.
INTERRUPTED = """
import os, signal
from helpers import explain_interrupts, quiet_start
with quiet_start():
    import keras
import numpy as np
explain_interrupts()
callback = keras.callbacks.LambdaCallback(
    on_train_batch_end=lambda batch, logs: os.kill(os.getpid(), signal.SIGINT)
)
model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
model.compile("sgd", "mse")
"""
FIT = "history = model.fit(np.zeros((20, 4)), np.zeros((20, 2)), verbose=0{})"


@pytest.fixture(scope="module")
def kernel():
    """A kernel in which a network is ready; the value runs a cell in it."""
    manager, client = start_new_kernel()

    def run(source):
        said = []
        reply = client.execute_interactive(
            source, timeout=300, output_hook=lambda message: said.append(message)
        )
        return reply["content"]["status"], [
            message["content"].get("text", message["content"].get("traceback"))
            for message in said
            if message["msg_type"] in ("stream", "error")
        ]

    try:
        status, said = run(INTERRUPTED)
        assert status == "ok", said
        yield run
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def test_interrupted_fit_is_one_sentence_and_can_be_run_again(kernel):
    start = time.monotonic()
    status, said = kernel(FIT.format(", callbacks=[callback], epochs=10**6"))
    assert time.monotonic() - start < 60
    assert status == "error", "or Run All would go on with what is not there"
    assert len(said) == 1 and said[0].startswith("Interrupted: this cell did not")
    status, said = kernel(FIT.format(""))
    assert (status, said) == ("ok", [])


def test_other_errors_keep_their_traceback(kernel):
    status, [traceback] = kernel("1 / 0")
    assert status == "error" and "ZeroDivisionError" in "".join(traceback)


def code(path):
    """Return the code cells of a notebook in Python as syntax trees."""
    notebook = nbformat.read(path, as_version=4)
    if notebook.metadata.language_info.name != "python":
        return []
    return [ast.parse(c.source) for c in notebook.cells if c.cell_type == "code"]


def calls(tree, name):
    """Return what method of that name is called on, in a tree."""
    return [
        node.func.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == name
    ]


def made_in(tree):
    """Return the names that a tree assigns, anywhere in it."""
    names = [node for node in ast.walk(tree) if isinstance(node, ast.Name)]
    return {node.id for node in names if isinstance(node.ctx, ast.Store)}


def test_a_cell_that_trains_makes_its_network_anew():
    """So its result is the same when it is run twice, or with another switch."""
    trained = 0
    for path in NOTEBOOKS:
        for tree in code(path):
            for network in calls(tree, "fit"):
                trained += 1
                named = isinstance(network, ast.Name)
                assert not named or network.id in made_in(tree), (
                    f"{path.name} trains {network.id}, which it makes in another cell"
                )
    assert trained > 0


def test_recorded_weights_are_loaded_by_what_says_whose_they_are():
    """Keras' own error, where the network is another one, has a page of names."""
    trees = [(path.name, tree) for path in NOTEBOOKS for tree in code(path)]
    by_keras = [name for name, tree in trees if calls(tree, "load_weights")]
    assert by_keras == []


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_with_a_long_training_explains_interrupts(path):
    source = "\n".join(ast.unparse(tree) for tree in code(path))
    if "train_without_pauses()" in source:
        assert "\nexplain_interrupts()" in source

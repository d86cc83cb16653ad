"""Train what the PyTorch notebook defines: its cells tagged `record`.

They import PyTorch, which the lecture does not need, so they are no part of
`helpers.recipes`; they run as they stand, for the recorder and for the tests.
"""

from types import SimpleNamespace

from helpers import load_data
from tools.recording.jobs import PYTORCH_NOTEBOOK
from tools.recording.syntax import recorded_code


def recorded_cells():
    """Return what the recorded cells define, such as `Network` and `train`."""
    defined = {"__name__": "lecture_in_pytorch"}
    code = compile(recorded_code(PYTORCH_NOTEBOOK), PYTORCH_NOTEBOOK.name, "exec")
    exec(code, defined)
    return SimpleNamespace(**defined)


class Told:
    """What Keras' callbacks want of a model, beside the network in PyTorch."""

    stop_training = False


def train_in_pytorch(job, options):
    """Train, and tell Keras' callbacks after each epoch; return model, facts, versions.

    The number of steps is that which the optimizer itself has counted.
    """
    import keras

    cells = recorded_cells()
    callbacks = keras.callbacks.CallbackList(options["callbacks"], model=Told())
    callbacks.on_train_begin()
    model, optimizer = cells.train(
        load_data(), job.seed, epochs=options["epochs"], report=callbacks.on_epoch_end
    )
    callbacks.set_model(model)
    callbacks.on_train_end()
    [settings] = optimizer.state_dict()["param_groups"]
    kept = {x: settings[x] for x in ("lr", "alpha", "eps", "momentum", "centered")}
    [steps] = {int(state["step"]) for state in optimizer.state.values()}
    told = {"steps": steps, "optimizer": {"name": type(optimizer).__name__, **kept}}
    return model, told, {}


def judge(model, images, labels):
    """Return loss and accuracy of a network on images."""
    cells = recorded_cells()
    loader = cells.DataLoader(cells.CIFAR100(images, labels), batch_size=500)
    loss, accuracy = cells.evaluate(model, loader, cells.nn.CrossEntropyLoss())
    return {"loss": round(loss, 4), "accuracy": round(accuracy, 4)}

import numpy as np
import pytest
from conftest import load_tool


@pytest.fixture(scope="module")
def train():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CIFAR100_STAND_IN", "never")  # the script sets it for itself
        yield load_tool("train")


@pytest.fixture
def fit(train, tmp_path):
    """Train a small network with the recorder on a few numbers."""
    keras = train.keras

    def fit(recorder, epochs, callbacks=()):
        keras.utils.set_random_seed(1)
        model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
        model.compile(loss="mse", optimizer="rmsprop")
        x, y = np.ones((8, 4), "float32"), np.zeros((8, 2), "float32")
        model.fit(x, y, epochs=epochs, verbose=0, callbacks=[recorder, *callbacks])
        return model

    return fit


class Killed(BaseException):
    pass


def kill_in(keras, epoch):
    def stop(n, logs=None):
        if n == epoch:
            raise Killed

    return keras.callbacks.LambdaCallback(on_epoch_begin=stop)


def test_killed_training_loses_at_most_the_epoch_it_was_in(train, fit, tmp_path):
    with pytest.raises(Killed):
        fit(train.Recorder(tmp_path), 5, [kill_in(train.keras, 3)])
    again = train.Recorder(tmp_path)
    assert [row["epoch"] for row in again.rows] == ["1", "2", "3"]
    model = fit(again, 5 - len(again.rows))
    assert again.resumed_after == [3]
    assert [int(row["epoch"]) for row in again.rows] == [1, 2, 3, 4, 5]
    assert int(model.optimizer.iterations) == 5  # one batch an epoch, none twice
    whole = fit(train.Recorder(tmp_path / "whole"), 5)
    for resumed, uninterrupted in zip(model.weights, whole.weights, strict=True):
        np.testing.assert_allclose(resumed, uninterrupted, rtol=1e-5)


def test_half_written_epoch_is_not_read(train, fit, tmp_path, monkeypatch):
    fit(train.Recorder(tmp_path), 2)
    with monkeypatch.context() as patch:

        def full_disk(*_):
            raise OSError(28, "No space left on device")

        patch.setattr(train, "write_history", full_disk)
        with pytest.raises(OSError, match="No space left"):
            fit(train.Recorder(tmp_path), 1)
    assert len(train.Recorder(tmp_path).rows) == 2


def test_training_never_uses_the_stand_in(no_data, tmp_path):
    train = load_tool("train")  # forbids it, in an environment that does not
    with pytest.raises(train.DataError, match="CIFAR-100 is not on this machine"):
        train.train(tmp_path / "run", 1)
    assert not (tmp_path / "run").exists()


def test_cells_changed_since_the_interruption_are_refused(train, tmp_path, monkeypatch):
    partial = tmp_path / "run.partial"
    (partial / "epoch-01").mkdir(parents=True)
    (partial / "epoch-01" / "history.csv").write_text("epoch,loss\n1,2\n")
    (partial / "epoch-01" / "resumed_after.json").write_text("[]")
    (partial / "recipe.py").write_text("other cells\n")
    with pytest.raises(SystemExit, match="unfinished training of other notebook cells"):
        train.train(tmp_path / "run", 30)


def test_run_is_put_back_after_a_kill_while_it_was_replaced(
    train, tmp_path, monkeypatch
):
    replaced = tmp_path / "run.partial" / "replaced"
    replaced.mkdir(parents=True)
    (replaced / "run.json").write_text("{}")
    monkeypatch.setattr(train, "recipe", lambda: pytest.fail("far enough"))
    with pytest.raises(pytest.fail.Exception, match="far enough"):
        train.train(tmp_path / "run", 1)
    assert (tmp_path / "run" / "run.json").read_text() == "{}"

import numpy as np

from helpers import run_cells
from helpers.stand_in import draw_stand_in


def test_every_call_draws_the_same():
    first, second = draw_stand_in(200, 100), draw_stand_in(200, 100)
    for (images, labels), (again, labels_again) in zip(
        first[:2], second[:2], strict=True
    ):
        assert (images == again).all() and (labels == labels_again).all()


def test_training_and_test_images_differ():
    (x_train, _), (x_test, _), *_ = draw_stand_in(500, 500)
    assert len(np.unique(np.concatenate([x_train, x_test]), axis=0)) == 1000


def test_small_network_learns_it():
    """The network of the page about the stand-in, as the page trains it."""
    import keras

    (x_train, y_train), (x_test, y_test), *_ = draw_stand_in(10_000, 2_000)
    names = {"keras": keras, "layers": keras.layers}
    data = {"x_train": x_train, "y_train": y_train, "x_test": x_test, "y_test": y_test}
    assert run_cells("stand-in.ipynb", "train", **names, **data)["accuracy"] > 0.8

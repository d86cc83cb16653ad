import numpy as np

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


def test_colour_and_pattern_can_be_learned():
    """The nearest mean colour tells the five colours of a pattern apart."""
    (x_train, y_train), (x_test, y_test), *_ = draw_stand_in(2000, 500)
    train_colour, test_colour = x_train.mean((1, 2)), x_test.mean((1, 2))
    shade_of_train, shade_of_test = y_train[:, 0] % 5, y_test[:, 0] % 5
    means = np.stack([train_colour[shade_of_train == k].mean(0) for k in range(5)])
    distance = np.linalg.norm(test_colour[:, None] - means, axis=2)
    assert (distance.argmin(1) == shade_of_test).mean() > 0.8

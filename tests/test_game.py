"""The game of part 1, on images that a program has drawn."""

from types import SimpleNamespace

import numpy as np
import pytest

from helpers.game import compare, deal, folded_names, likely_range, list_names


@pytest.fixture
def data():
    """Six classes of three test images each, whose pixels say which one they are."""
    y_test = np.tile(np.arange(6, dtype=np.uint8), 3)[::-1].reshape(-1, 1)
    position = np.arange(18, dtype=np.uint8).reshape(-1, 1, 1, 1)
    x_test = np.broadcast_to(position, (18, 4, 4, 3))
    names = ["Big_Cat", "cow", "d < e", "fox", "gnu", "hen"]
    return SimpleNamespace(num_classes=6, class_names=names, test=(x_test, y_test))


def test_game_has_the_first_image_of_each_drawn_class_and_other_names(data):
    game = deal(data, seed=1, images=3, choices=5)
    assert len(set(game.labels)) == 3
    assert set(game.labels) < set(game.choices) and len(game.choices) == 5
    assert [*game.choices] == sorted(game.choices)
    for image, label in zip(game.images, game.labels, strict=True):
        position = image[0, 0, 0]
        assert data.test[1][position] == label
        assert position < 6  # every class occurs among the first six
    others = [deal(data, seed=seed).labels.tolist() for seed in range(9)]
    assert len({*map(tuple, others)}) > 1
    assert len(deal(data, seed=1).choices) == 6  # no more than there are classes


def test_score_counts_names_however_they_are_typed(data):
    game = deal(data, seed=1, images=6)
    names = [data.class_names[label] for label in game.labels]
    typed = ",".join(f" {n.upper().replace('_', '  ')} " for n in names[:5]) + ", ?"
    table = compare(game, typed, np.where(np.arange(6) < 2, game.labels, -1))
    assert table["right"].to_dict() == {"you": "5 of 6", "network": "2 of 6"}
    low, high = likely_range(5, 6)
    assert table.loc["you", "likely accuracy"] == f"{low:.0%} to {high:.0%}"


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("", "Your turn: type 3 names"),
        ("cow, dog, hen", '"dog" is not on the list'),
        ("cow, hen", "You typed 2 names, expected 3"),
    ],
)
def test_names_that_cannot_be_used_are_one_sentence(data, typed, said):
    game = deal(data, seed=1, images=3, choices=6)
    answer = compare(game, typed, game.labels)
    assert isinstance(answer, str) and answer.startswith(said)


def test_ten_of_ten_leaves_a_range_and_ten_times_the_images_a_smaller_one():
    low, high = likely_range(10, 10)
    assert 0.6 < low < 0.75 and high == 1
    assert likely_range(0, 10) == pytest.approx((0, 1 - low))
    low, high = likely_range(60, 100)
    assert (low, high) == pytest.approx((0.5, 0.69), abs=0.01)


def test_names_are_listed_and_the_right_ones_folded(data):
    game = deal(data, seed=1, images=6)
    assert list_names(game) == "big cat, cow, d < e, fox, gnu, hen"
    shown = folded_names(game, game.labels).data
    assert shown.startswith("<details><summary>") and shown.endswith("</details>")
    assert "d &lt; e" in shown and "has 6 of 6 right" in shown

import numpy as np
import pytest

from helpers import check


@pytest.mark.parametrize(
    ("answer", "truth", "said"),
    [
        (None, 3, "Your turn: replace None."),
        (3, 3, "Right."),
        (4, 3, "Not yet: too large."),
        (2.98, 3, "Not yet: too small."),
        (float("nan"), 3, "Not yet: expected one number."),
        (10**400, 3, "Not yet: expected one number."),
        ("three", 3, "Not yet: expected one number."),
        ((1, 2), 3, "Not yet: this is 2 numbers, expected one number."),
        ([1, 2, 3], (1, 2, 3), "Right."),
        (
            (1, 3, 4),
            (1, 2, 3),
            "Not yet: 1 of 3 right; number 2 is too large.",
        ),
        ((1, 2), (1, 2, 3), "Not yet: this is 2 numbers, expected 3 numbers."),
        (1, (1, 2), "Not yet: this is one number, expected 2 numbers."),
        (((1, 2), 3), (1, 2), "Not yet: expected 2 numbers."),
        (np.eye(2), np.eye(2), "Right."),
        ([1, 0], np.eye(2), "Not yet: this is 2 numbers, expected 2 times 2 numbers."),
        ("maple_tree", "maple_tree", "Right."),
        (" Maple tree", "maple_tree", "Right."),
        ("oak", "maple_tree", "Not yet: another name is right."),
        (7, "oak", 'Not yet: expected a text in quotation marks, such as "apple".'),
    ],
)
def test_says_what_is_wrong_without_giving_it_away(answer, truth, said, capsys):
    check(answer, truth)
    assert capsys.readouterr().out == said + "\n"


@pytest.mark.parametrize(
    ("answer", "said"), [(2.31, "Right."), (2.4, "Not yet: too large.")]
)
def test_a_number_may_be_as_far_from_the_truth_as_the_tolerance(answer, said, capsys):
    check(answer, np.log(10), tolerance=0.05)
    assert capsys.readouterr().out == said + "\n"

import json

import numpy as np
import pytest
from conftest import load_tool

from helpers import check, exercises, hashed


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
        ((1, 2), 3, "Not yet: expected one number."),
        ([1, 2, 3], (1, 2, 3), "Right."),
        (
            (1, 3, 4),
            (1, 2, 3),
            "Not yet: 1 of 3 right; number 2 is too large.",
        ),
        ((1, 2), (1, 2, 3), "Not yet: expected 3 numbers."),
        (1, (1, 2), "Not yet: expected 2 numbers."),
        (((1, 2), 3), (1, 2), "Not yet: expected 2 numbers."),
        (np.eye(2), np.eye(2), "Right."),
        ([1, 0], np.eye(2), "Not yet: expected 2 times 2 numbers."),
        ("maple_tree", "maple_tree", "Right."),
        (" Maple tree", "maple_tree", "Right."),
        ("oak", "maple_tree", "Not yet: another is right."),
        (7, "oak", "Not yet: expected a text in quotation marks."),
    ],
)
def test_says_what_is_wrong_without_giving_it_away(answer, truth, said):
    assert check(answer, truth) == said


@pytest.mark.parametrize(
    ("answer", "said"), [(2.31, "Right."), (2.4, "Not yet: too large.")]
)
def test_a_number_may_be_as_far_from_the_truth_as_the_tolerance(answer, said):
    assert check(answer, np.log(10), tolerance=0.05) == said


def test_a_notebook_shows_what_check_returns_without_quotation_marks():
    assert repr(check(3, 3)) == "Right."


TRUTHS = {"1": "maple_tree", "2": 313, "3": [-0.03, 0.3, 0], "4": 2.302, "5": [[1, 2]]}


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """What students get in place of `TRUTHS`: hashes, and the text of their file."""
    root = tmp_path_factory.mktemp("lecture")
    (root / "helpers").mkdir()
    tolerances = {"1": "", "2": "", "3": "0.001", "4": "0.05", "5": ""}
    load_tool("execute").keep(root / "notebooks" / "x.ipynb", TRUTHS, tolerances)
    path = root / "helpers" / "answers.json"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exercises, "__file__", str(root / "helpers" / "exercises.py"))
        return {n: hashed("x", int(n)) for n in TRUTHS}, path.read_text("utf-8")


@pytest.mark.parametrize(
    ("number", "answer", "said"),
    [
        ("1", "Maple tree", "Right."),
        ("1", "oak_tree", "Not yet: another is right."),
        ("1", 7, "Not yet: expected a text in quotation marks."),
        ("2", 313, "Right."),
        ("2", 313.4, "Not yet: another is right."),
        ("2", np.inf, "Not yet: another is right."),
        ("2", None, "Your turn: replace None."),
        ("3", (-0.03, 0.2995, -0.0), "Right."),
        ("3", (-0.03, 0.3015, 0), "Not yet: 2 of 3 right."),
        ("3", 0.3, "Not yet: expected 3 numbers."),
        ("4", 2.26, "Right."),
        ("4", 2.35, "Right."),
        ("4", 2.36, "Not yet: another is right."),
        ("5", [[1, 2]], "Right."),
        ("5", [[2, 1]], "Not yet: 0 of 2 right."),
    ],
)
def test_hashes_tell_right_from_wrong(number, answer, said, kept):
    assert check(answer, kept[0][number]) == said


def test_hashes_do_not_give_the_truth_away(kept):
    truths, text = kept
    assert "maple" not in text and "313" not in json.dumps(
        json.loads(text)["x"]["2"][1:3]
    )
    for truth in truths.values():
        assert check(truth, truth).startswith("Not yet: expected")
        assert all(check(part, truth) != "Right." for part in truth)

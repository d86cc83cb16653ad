import numpy as np

from helpers import check, exercises, hashed
from tools.notebooks import execute as execute_tool

# An answer, the truth, and what is said, which does not give the truth away.
SAID = [
    (None, 3, "Your turn: replace None."),
    (3, 3, "Right."),
    (2.98, 3, "Not yet: too small."),
    (float("nan"), 3, "Not yet: expected one number."),
    (10**400, 3, "Not yet: expected one number."),
    ([1, 2, 3], (1, 2, 3), "Right."),
    ((1, 3, 4), (1, 2, 3), "Not yet: 1 of 3 right; number 2 is too large."),
    ((1, 2), (1, 2, 3), "Not yet: expected 3 numbers."),
    (((1, 2), 3), (1, 2), "Not yet: expected 2 numbers."),
    (np.eye(2), np.eye(2), "Right."),
    ([1, 0], np.eye(2), "Not yet: expected 2 times 2 numbers."),
    (" Maple tree", "maple_tree", "Right."),
    ("oak", "maple_tree", "Not yet: another is right."),
    (7, "oak", "Not yet: expected a text in quotation marks."),
]
# What students get are the hashes of these truths, made with these tolerances.
TRUTHS = {"1": "maple_tree", "2": 313, "3": [0.3, 0], "4": 2.302, "5": [[1, 2]]}
TOLERANCES = {"1": "", "2": "", "3": "0.001", "4": "0.05", "5": ""}
SAID_OF_HASHES = [
    ("1", "Maple tree", "Right."),
    ("1", "oak_tree", "Not yet: another is right."),
    ("1", 7, "Not yet: expected a text in quotation marks."),
    ("2", 313, "Right."),
    ("2", 313.4, "Not yet: another is right."),
    ("2", np.inf, "Not yet: another is right."),
    ("3", (0.2995, -0.0), "Right."),
    ("3", (0.3015, 0), "Not yet: 1 of 2 right."),
    ("3", 0.3, "Not yet: expected 2 numbers."),
    ("4", 2.26, "Right."),
    ("4", 2.35, "Right."),
    ("4", 2.36, "Not yet: another is right."),
    ("5", [[2, 1]], "Not yet: 0 of 2 right."),
]


def test_says_what_is_wrong_without_giving_it_away():
    for answer, truth, said in SAID:
        assert check(answer, truth) == said, (answer, truth)
    assert check(2.31, np.log(10), tolerance=0.05) == "Right."
    assert check(2.4, np.log(10), tolerance=0.05) == "Not yet: too large."
    assert repr(check(3, 3)) == "Right.", "a notebook shows no quotation marks"


def test_hashes_tell_right_from_wrong_and_do_not_give_the_truth_away(
    tmp_path, monkeypatch
):
    (tmp_path / "helpers").mkdir()
    execute_tool.keep(tmp_path / "notebooks" / "x.ipynb", TRUTHS, TOLERANCES)
    path = tmp_path / "helpers" / "answers.json"
    monkeypatch.setattr(exercises, "__file__", str(path.with_name("exercises.py")))
    hashes = {number: hashed("x", int(number)) for number in TRUTHS}
    for number, answer, said in SAID_OF_HASHES:
        assert check(answer, hashes[number]) == said, (number, answer)
    assert "maple" not in path.read_text("utf-8") and "313" not in str(hashes["2"][1:3])
    for truth in hashes.values():
        assert check(truth, truth).startswith("Not yet: expected")
        assert all(check(part, truth) != "Right." for part in truth)

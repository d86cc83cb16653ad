"""Tell a reader whether the answer to an exercise is right."""

import numpy as np


def check(answer, truth, tolerance=0.0):
    """Print whether an answer is right and, if not, in what way it is wrong.

    Parameters
    ----------
    answer : str, number, or sequence of numbers
        The reader's answer; None if there is none yet.
    truth : str, number, or sequence of numbers
        The right answer, computed next to the question.
    tolerance : float, default 0.0
        The largest distance that a number may have from the truth, in its unit.
    """
    if answer is None:
        print("Your turn: replace None.")
    elif isinstance(truth, str):
        print(_compare_text(answer, truth))
    else:
        print(_compare_numbers(answer, truth, tolerance))


def _compare_text(answer, truth):
    if not isinstance(answer, str):
        return 'Not yet: expected a text in quotation marks, such as "apple".'
    same = answer.strip().lower().replace(" ", "_") == truth.lower().replace(" ", "_")
    return "Right." if same else "Not yet: another name is right."


def _compare_numbers(answer, truth, tolerance):
    expected = np.asarray(truth, dtype=float)
    try:
        given = np.asarray(answer, dtype=float)
    except (TypeError, ValueError, OverflowError):
        given = np.array(np.nan)
    if np.isnan(given).any():
        return f"Not yet: expected {_form(expected)}."
    if given.shape != expected.shape:
        return f"Not yet: this is {_form(given)}, expected {_form(expected)}."
    wrong = np.flatnonzero(~(np.abs(given - expected) <= tolerance))
    if len(wrong) == 0:
        return "Right."
    first = wrong[0]
    direction = "large" if given.flat[first] > expected.flat[first] else "small"
    if expected.ndim == 0:
        return f"Not yet: too {direction}."
    return (
        f"Not yet: {expected.size - len(wrong)} of {expected.size} right;"
        f" number {first + 1} is too {direction}."
    )


def _form(numbers):
    if numbers.ndim == 0:
        return "one number"
    return " times ".join(str(n) for n in numbers.shape) + " numbers"

"""Tell a reader whether the answer to an exercise is right.

The right answers are not in this folder. ``answers.json`` has one salted, slow hash for
each of them: it keeps you from reading an answer by accident. It does not keep anybody
from trying all small numbers. For graded homework the answers stay with the instructor,
and ``answers.json`` has their form alone.
"""

import hashlib
import json
import math
import numbers
from pathlib import Path
from typing import NamedTuple

ANSWERS = Path(__file__).with_name("answers.json")
# About half a second and 64 MB for each hash, so that guessing is slow.
SLOW = {"n": 2**16, "r": 8, "p": 2, "maxmem": 2**27, "dklen": 16}
# An answer at the very edge of its tolerance is right, however its digits were rounded.
ROUNDING = 1 + 1e-6
WHOLE = 1e-6  # how far from a whole number a whole number may be


class Verdict(str):
    """A sentence that a notebook shows without quotation marks."""

    __repr__ = str.__str__


class Form(NamedTuple):
    """What a right answer looks like, as far as everybody may know it."""

    kind: str  # "text", "boolean", "whole" (whole numbers) or "number"
    shape: list  # [] for one, [3] for three, [2, 2] for two rows of two
    tolerance: float | None = None  # of a "number": the largest distance from the truth
    offsets: list | None = None  # of each "number": where the truth lies in its bin


class MisfitError(Exception):
    """An answer is not of the form that was asked for; the message says in what way."""


def check(answer, exercise, tolerance=None):
    """Return a sentence: whether an answer is right and, if not, in what way.

    Parameters
    ----------
    answer : str, bool, number, or (nested) sequence of them
        The reader's answer; None if there is none yet. Arrays, series, tensors and
        scalars of NumPy and pandas will do.
    exercise : str
        The notebook and the number, such as "03-training/2".
    tolerance : float, optional
        The largest distance of a number from the truth. It is read when the notebook
        is executed and the answer is stored. Without it, whole numbers are compared as
        whole numbers, and others within a relative tolerance of 1e-6 (or a little more,
        so that the tolerance does not give the number away).

    Returns
    -------
    Verdict
        "Right.", "Your turn ...", "Not yet: ..." or why it cannot be told.
    """
    if not isinstance(exercise, str):
        raise TypeError(
            f"the exercise is {exercise!r}, expected the notebook and the number:"
            ' write it like "03-training/2".'
        )
    if answer is None or answer is Ellipsis:
        return Verdict("Your turn: write your answer, and run this cell again.")
    stored = stored_answer(exercise)
    if stored is None:
        return Verdict(f"No answer to {exercise} is stored: it cannot be checked here.")
    form = Form(**stored["form"])
    try:
        given = written(answer, form)
    except MisfitError as error:
        return Verdict(f"Not yet: {error}.")
    if stored["hash"] is None:
        return Verdict(f"This is {described(form)}, as asked; it is graded later.")
    if digest(given, stored["salt"]) == stored["hash"]:
        return Verdict("Right.")
    if stored["data"] and on_stand_in():
        return Verdict(
            "This cannot be judged on the drawn stand-in: the answer that is stored"
            " belongs to the real images."
        )
    return Verdict(f"Not yet: {_what_is_wrong(answer, form, stored)}.")


def check_between(value, low=None, high=None):
    """Return a sentence: whether a number lies in a range.

    For what comes out differently on every machine, such as the accuracy after a
    training: there is a range that it should be in, but no one right number.

    Parameters
    ----------
    value : number
        What was measured; None if there is nothing yet.
    low, high : number, optional
        The ends of the range, which belong to it. Without one, that side is open.
    """
    if value is None or value is Ellipsis:
        return Verdict("Your turn: write your answer, and run this cell again.")
    try:
        form = Form("number", [])
        (number,) = _numbers(_parts(value, form), form)
    except MisfitError as error:
        return Verdict(f"Not yet: {error}.")
    if low is not None and number < low:
        return Verdict(f"Not yet: {number:.6g} is too small, expected {low} or more.")
    if high is not None and number > high:
        return Verdict(f"Not yet: {number:.6g} is too large, expected {high} or less.")
    return Verdict("Right.")


def stored_answer(exercise):
    """Return what is stored of the answer to "03-training/2", or None."""
    notebook, _, number = exercise.partition("/")
    try:
        return json.loads(ANSWERS.read_text(encoding="utf-8"))[notebook][number]
    except (OSError, ValueError, KeyError, TypeError):
        return None


def digest(text, salt):
    """Return the hash of an answer as `written` gives it."""
    return hashlib.scrypt(text.encode(), salt=salt.encode(), **SLOW).hex()


def plain(value):
    """Return a value as nested lists of texts, booleans, integers and floats.

    Raises
    ------
    TypeError
        If there is anything else in it.
    """
    if hasattr(value, "to_numpy"):  # of pandas
        value = value.to_numpy()
    if hasattr(value, "tolist"):  # of NumPy, JAX and PyTorch
        value = value.tolist()
    elif hasattr(value, "numpy"):  # of TensorFlow and Keras
        value = value.numpy().tolist()
    if isinstance(value, list | tuple | range):
        return [plain(part) for part in value]
    if isinstance(value, str | bool):
        return value
    if isinstance(value, numbers.Integral):
        return int(value)
    if isinstance(value, numbers.Real):
        return float(value)
    raise TypeError(f"{type(value).__name__} is neither a number nor a text")


def form_of(truth, tolerance=None):
    """Return the form of a right answer.

    Numbers are put into bins that are twice the tolerance wide. The offset moves the
    bins of a number so that the truth is in the middle of its own; it tells nothing
    about which bin that is.

    Raises
    ------
    ValueError
        If answers to compare with it cannot be told right from wrong.
    """
    try:
        truth = plain(truth)
        shape, parts = _flat(truth)
    except (TypeError, MisfitError) as error:
        raise ValueError(f"{truth!r} cannot be an answer: {error}.") from None
    if not parts:
        raise ValueError(f"{truth!r} cannot be an answer: it is empty.")
    if all(isinstance(part, str) for part in parts):
        return Form("text", shape)
    if all(isinstance(part, bool) for part in parts):
        return Form("boolean", shape)
    if any(isinstance(part, str | bool) for part in parts):
        raise ValueError(f"{truth!r} cannot be an answer: texts and numbers are mixed.")
    if not all(math.isfinite(part) for part in parts):
        raise ValueError(f"{truth!r} cannot be an answer: not all of it is finite.")
    if not tolerance and all(part == round(part) for part in parts):
        return Form("whole", shape)
    if tolerance and tolerance < 0:
        raise ValueError(f"the tolerance {tolerance} is negative.")
    if not tolerance:
        # A power of ten: the tolerance is stored, and tells no more than the magnitude.
        largest = max(abs(part) for part in parts)
        tolerance = 10.0 ** (math.ceil(math.log10(largest)) - 6)
    width = 2 * tolerance * ROUNDING
    offsets = [math.remainder(part, width) for part in parts]
    return Form("number", shape, tolerance, offsets)


def written(answer, form):
    """Return the text of which the hash is made: equal for all right answers.

    Raises
    ------
    MisfitError
        If the answer is not of that form.
    """
    parts = _parts(answer, form)
    if form.kind == "text":
        parts = _texts(parts, form)
    elif form.kind == "boolean":
        parts = _booleans(parts, form)
    else:
        parts = _numbers(parts, form)
    if form.kind == "whole":
        parts = [_whole(part) for part in parts]
    elif form.kind == "number":
        width = 2 * form.tolerance * ROUNDING
        parts = [(n - by) / width for n, by in zip(parts, form.offsets, strict=True)]
        # Beyond all floats a number is in no bin, and right for no truth.
        parts = [math.floor(n + 0.5) if math.isfinite(n) else n for n in parts]
    return "\n".join(str(part) for part in parts)


def described(form):
    """Return the form of an answer in words, such as "3 numbers"."""
    one, many = {
        "text": ("a text in quotation marks", "texts in quotation marks"),
        "boolean": ("True or False", "times True or False"),
    }.get(form.kind, ("one number", "numbers"))
    if not form.shape:
        return one
    return f"{' times '.join(str(n) for n in form.shape)} {many}"


def on_stand_in():
    """Return whether the lecture's data here is the drawn stand-in."""
    from helpers import data

    if data.load_data is not data.load_cifar100:  # another data set was put in place
        return False
    try:
        data.data_folder(download=False)
    except data.DataError:
        return True
    return data.os.environ.get("CIFAR100_STAND_IN", "") not in ("", "never")


def _what_is_wrong(answer, form, stored):
    """Return how a wrong answer of the right form differs from the right one."""

    def right(value):
        return digest(written(value, form), stored["salt"]) == stored["hash"]

    if form.kind == "boolean" and not form.shape:
        return "the opposite is right"
    if form.shape:
        what = {"text": "texts", "boolean": "parts"}.get(form.kind, "numbers")
        return f"not all of these {what} are right"
    if form.kind == "text":
        return "another text is right"
    (number,) = _parts(answer, form)
    if 0 < abs(number) <= 1 and right(100 * number):
        return "the answer is expected in percent, and yours is a fraction of one"
    if 1 < abs(number) <= 100 and right(number / 100):
        return "the answer is expected as a fraction of one, and yours is in percent"
    return "another number is right"


def _flat(value):
    """Return the shape of nested lists, and all that is in them, in order."""
    if not isinstance(value, list):
        return [], [value]
    shapes, parts = [], []
    for part in value:
        shape, inner = _flat(part)
        shapes.append(shape)
        parts.extend(inner)
    if any(shape != shapes[0] for shape in shapes):
        raise MisfitError("its rows differ in length")
    return [len(value), *(shapes[0] if shapes else [])], parts


def _parts(answer, form):
    """Return all parts of an answer; one of a list of one stands for itself."""
    expected = f"expected {described(form)}"
    try:
        shape, parts = _flat(plain(answer))
    except (TypeError, RecursionError, MisfitError):
        raise MisfitError(expected) from None
    if shape == form.shape or (len(parts) == 1 and not form.shape):
        return parts
    if not form.shape and form.kind != "text" and _is_one_with_commas(shape, parts):
        one = "".join([str(parts[0]), *(f"{part:03}" for part in parts[1:])])
        expected += f"; without commas, which make several of it, yours is {one}"
    raise MisfitError(expected)


def _is_one_with_commas(shape, parts):
    """Return whether numbers, such as 1, 193 and 636, may have been meant as one.

    A list of labels is no such number: nobody writes more than four groups.
    """
    whole = all(isinstance(n, int) and not isinstance(n, bool) for n in parts)
    if not whole or len(shape) != 1 or not 1 <= len(parts) <= 4:
        return False
    return all(0 <= n < 1000 for n in parts[1:])


def _texts(parts, form):
    """Return texts without capital letters, underscores and needless spaces."""
    if not all(isinstance(part, str) for part in parts):
        raise MisfitError(f"expected {described(form)}")
    return [" ".join(part.replace("_", " ").lower().split()) for part in parts]


def _booleans(parts, form):
    """Return truth values; 1 and 0 are none."""
    if not all(isinstance(part, bool) for part in parts):
        raise MisfitError(f"expected {described(form)}")
    return parts


def _numbers(parts, form):
    """Return finite numbers; texts and truth values are none."""
    expected = f"expected {described(form)}"
    if any(isinstance(part, bool) for part in parts):
        raise MisfitError(f"{expected}, and True and False are none")
    if any(isinstance(part, str) for part in parts):
        raise MisfitError(
            f"{expected}, written without quotation marks, percent sign and commas"
        )
    try:
        finite = all(math.isfinite(part) for part in parts)
    except OverflowError:  # a whole number beyond all floats
        finite = False
    if not finite:
        raise MisfitError(expected)
    return parts


def _whole(number):
    """Return a number that is whole but for rounding as an integer, else as it is."""
    nearest = round(number)
    return nearest if abs(number - nearest) <= WHOLE else number

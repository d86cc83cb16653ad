"""Tell a reader whether the answer to an exercise is right."""

import hashlib
import json
from pathlib import Path
from typing import NamedTuple

import numpy as np


class Hashed(NamedTuple):
    """A right answer that can be recognised but not read."""

    salt: str
    shape: list
    step: float | None  # numbers are rounded to multiples of it; None for a text
    hashes: list  # for each part of the answer, the hashes of all right values


class Verdict(str):
    """A sentence that a notebook shows without quotation marks."""

    __repr__ = str.__str__


def hashed(notebook, number):
    """Return the right answer to an exercise, such as "01-data", 2, as hashes."""
    text = Path(__file__).with_name("answers.json").read_text(encoding="utf-8")
    return Hashed(*json.loads(text)[notebook][str(number)])


def digest(value, step, salt):
    """Return a hash of a text or number; it takes 50 ms, so that guessing is slow."""
    text = str(value).strip().lower().replace(" ", "_")
    if step is not None:
        text = f"{np.rint(value / step) + 0.0:.0f}" if step else f"{value + 0.0:.9g}"
    made = hashlib.scrypt(text.encode(), salt=salt.encode(), n=2**14, r=8, p=1, dklen=8)
    return made.hex()


def check(answer, truth, tolerance=0.0):
    """Return a sentence: whether an answer is right and, if not, in what way.

    Parameters
    ----------
    answer : str, number, or sequence of numbers
        The reader's answer; None if there is none yet.
    truth : str, number, sequence of numbers, or Hashed
        The right answer, computed next to the question, or what `hashed` returns.
    tolerance : float, default 0.0
        The largest distance of a number from the truth; Hashed has its own, rounded.
    """
    if answer is None:
        return Verdict("Your turn: replace None.")
    hidden = isinstance(truth, Hashed)
    truth = truth if hidden else np.asarray(truth)
    text = truth.step is None if hidden else truth.dtype.kind == "U"
    try:
        given = np.asarray(answer, dtype=None if text else float)
        fits = given.shape == tuple(truth.shape) and given.dtype.kind == "fU"[text]
    except (TypeError, ValueError, OverflowError):
        fits = False
    if not fits or (given != given).any():  # NaN differs from itself
        form = f"{' times '.join(map(str, truth.shape)) or 'one'} number"
        form = "a text in quotation marks" if text else form + "s" * bool(truth.shape)
        return Verdict(f"Not yet: expected {form}.")
    if hidden:
        parts = enumerate(zip(given.flat, truth.hashes, strict=True))
        right = [digest(x, truth.step, f"{truth.salt} {i}") in h for i, (x, h) in parts]
    elif text:
        right = [digest(given, None, "") == digest(truth, None, "")]
    else:
        right = list((np.abs(given - truth) <= tolerance).flat)
    if all(right):
        return Verdict("Right.")
    said = f"{sum(right)} of {len(right)} right" if given.shape else "another is right"
    if not (hidden or text):
        first = right.index(False)
        size = "too large" if given.flat[first] > truth.flat[first] else "too small"
        said = f"{said}; number {first + 1} is {size}" if given.shape else size
    return Verdict(f"Not yet: {said}.")

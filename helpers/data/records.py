"""The official binary layout of CIFAR-100: its two files, read and verified."""

import hashlib
from pathlib import Path

import numpy as np

# Number of records and SHA-256 of the two files of the binary version.
FILES = {
    "train.bin": (
        50_000,
        "f31298fc616915fa142368359df1c4ca2ae984d6915ca468b998a5ec6aeebf29",
    ),
    "test.bin": (
        10_000,
        "d8b1e6b7b3bee4020055f0699b111f60b1af1e262aeb93a0b659061746f8224a",
    ),
}
RECORD_BYTES = 2 + 3 * 32 * 32


class DataError(Exception):
    """The data cannot be used; the message says what is wrong and what to do."""


def read_records(path, records, sha256):
    """Read one file of the binary version, and refuse it unless it is the right one.

    Parameters
    ----------
    path : path-like
        The file: `records` times 3,074 bytes, each the superclass (0 to 19), the class
        (0 to 99) and 3,072 pixels, all red, then all green, then all blue.
    records : int
        How many records the file must hold.
    sha256 : str
        The hexadecimal SHA-256 that its content must have.

    Returns
    -------
    images : ndarray of uint8, shape (records, 32, 32, 3)
        Images, channels last.
    labels : ndarray of uint8, shape (records, 1)
        Classes. (A class decides its superclass, so that byte is not returned.)

    Raises
    ------
    DataError
        If the file is missing, cannot be read, has another length or another content,
        or if a label is above 99.

    References
    ----------
    The layout: https://www.cs.toronto.edu/~kriz/cifar.html
    """
    images = np.empty((records, 32 * 32, 3), np.uint8)
    labels = np.empty((records, 1), np.uint8)
    done = 0
    for rows in _verified_rows(path, records, sha256):
        stop = done + len(rows)
        labels[done:stop] = rows[:, 1:2]
        # Colour by colour is four times as fast as one transposition.
        for colour, plane in enumerate(rows[:, 2:].reshape(-1, 3, 1024).swapaxes(0, 1)):
            images[done:stop, :, colour] = plane
        done = stop
    if labels.max() > 99:
        raise DataError(
            f"{path} holds the label {labels.max()}, expected 0 to 99: it is not"
            " CIFAR-100, so copy the official file."
        )
    return images.reshape(records, 32, 32, 3), labels


def verify_records(path, records, sha256):
    """Raise `DataError` unless the file is the right one; see `read_records`."""
    for _ in _verified_rows(path, records, sha256):
        pass


def _verified_rows(path, records, sha256):
    """Yield a file's rows, a thousand at a time; at the end, refuse a wrong content."""
    path = Path(path)
    expected = records * RECORD_BYTES
    try:
        with open(path, "rb") as file:
            size = path.stat().st_size
            if size != expected:
                raise DataError(
                    f"{path} has {size:,} bytes where {expected:,} were expected: it is"
                    " truncated or another file, so copy the official one again."
                )
            digest = hashlib.sha256()
            for start in range(0, records, 1000):
                chunk = file.read(min(1000, records - start) * RECORD_BYTES)
                digest.update(chunk)
                yield np.frombuffer(chunk, np.uint8).reshape(-1, RECORD_BYTES)
    except FileNotFoundError:
        raise DataError(
            f"{path.name} was not found in {path.parent}: put the official"
            " file there, or name another folder in CIFAR100_DIR."
        ) from None
    except OSError as error:
        raise DataError(
            f"{path} cannot be read ({error.strerror}): give yourself the right to read"
            " it, or copy the file again."
        ) from None
    if digest.hexdigest() != sha256:
        raise DataError(
            f"{path} has SHA-256 {digest.hexdigest()} where {sha256} was expected: its"
            " content is not the official one, so copy the file again."
        )

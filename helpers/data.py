"""Find, verify and read CIFAR-100 in its official binary layout."""

import hashlib
import os
from pathlib import Path
from typing import NamedTuple

import numpy as np
from platformdirs import user_cache_path

from helpers.stand_in import draw_stand_in

# The 20 superclasses and their five classes each, as the data set's page lists them:
# https://www.cs.toronto.edu/~kriz/cifar.html
# Numbers follow the alphabet: class 0 is apple, superclass 0 is aquatic_mammals.
SUPERCLASSES = {
    "aquatic_mammals": "beaver dolphin otter seal whale",
    "fish": "aquarium_fish flatfish ray shark trout",
    "flowers": "orchid poppy rose sunflower tulip",
    "food_containers": "bottle bowl can cup plate",
    "fruit_and_vegetables": "apple mushroom orange pear sweet_pepper",
    "household_electrical_devices": "clock keyboard lamp telephone television",
    "household_furniture": "bed chair couch table wardrobe",
    "insects": "bee beetle butterfly caterpillar cockroach",
    "large_carnivores": "bear leopard lion tiger wolf",
    "large_man-made_outdoor_things": "bridge castle house road skyscraper",
    "large_natural_outdoor_scenes": "cloud forest mountain plain sea",
    "large_omnivores_and_herbivores": "camel cattle chimpanzee elephant kangaroo",
    "medium_mammals": "fox porcupine possum raccoon skunk",
    "non-insect_invertebrates": "crab lobster snail spider worm",
    "people": "baby boy girl man woman",
    "reptiles": "crocodile dinosaur lizard snake turtle",
    "small_mammals": "hamster mouse rabbit shrew squirrel",
    "trees": "maple_tree oak_tree palm_tree pine_tree willow_tree",
    "vehicles_1": "bicycle bus motorcycle pickup_truck train",
    "vehicles_2": "lawn_mower rocket streetcar tank tractor",
}
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
ROOT = Path(__file__).resolve().parents[1]


class DataError(Exception):
    """The data cannot be used; the message says what is wrong and what to do."""


class Cifar100(NamedTuple):
    """CIFAR-100, or its stand-in, in memory.

    Attributes
    ----------
    train, test : tuple of (images, labels)
        Images are uint8 of shape (n, 32, 32, 3), channels red, green, blue, 0 to
        255; labels are uint8 of shape (n, 1), 0 to 99. n is 50,000 and 10,000.
    class_names : list of str
        100 names; label k is ``class_names[k]``.
    superclass_names : list of str
        20 names.
    superclass_of : ndarray of uint8, shape (100,)
        Class k belongs to superclass ``superclass_of[k]``.
    name : str
        "CIFAR-100", or "stand-in data" where the real images were not at hand.
    """

    train: tuple[np.ndarray, np.ndarray]
    test: tuple[np.ndarray, np.ndarray]
    class_names: list[str]
    superclass_names: list[str]
    superclass_of: np.ndarray
    name: str


def load_cifar100(folder=None):
    """Return CIFAR-100 as unsigned bytes, verified.

    The data is looked for in `folder`; without it in the folder that the environment
    variable ``CIFAR100_DIR`` names; without that in the cache (`cache_folder`). Where
    there is no cache, a drawn stand-in of the same shapes takes its place and says so
    in its `name` and in its class names, unless ``CIFAR100_STAND_IN`` is "never"; if
    that variable is "always", the stand-in comes without a search.

    Parameters
    ----------
    folder : path-like, optional
        A folder that holds ``train.bin`` and ``test.bin`` of the official binary
        version.

    Returns
    -------
    Cifar100
        The arrays that ``keras.datasets.cifar100.load_data()`` returns, and the names.

    Raises
    ------
    DataError
        If a file is missing, truncated or not the published one, or if there is no
        data and the stand-in is not allowed.

    References
    ----------
    A. Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009.
    """
    stand_in = os.environ.get("CIFAR100_STAND_IN", "")
    if stand_in not in ("", "never", "always"):
        raise DataError(
            f"CIFAR100_STAND_IN is {stand_in!r}, expected 'never', 'always' or nothing:"
            " correct or unset it."
        )
    if folder is None and stand_in == "always":
        return _stand_in()
    found = Path(folder) if folder else data_folder()
    if found is None:
        if stand_in == "never":
            raise DataError(
                f"CIFAR-100 was not found in the cache, {cache_folder()}: put train.bin"
                " and test.bin of cifar-100-binary.tar.gz there, or set CIFAR100_DIR to"
                " the folder that holds them."
            )
        return _stand_in()
    parts = {}
    for name, (records, sha256) in FILES.items():
        parts[name] = read_records(found / name, records, sha256)
    class_names, superclass_of = _classes()
    return Cifar100(
        train=parts["train.bin"],
        test=parts["test.bin"],
        class_names=class_names,
        superclass_names=sorted(SUPERCLASSES),
        superclass_of=superclass_of,
        name="CIFAR-100",
    )


def data_folder():
    """Return the folder that ``CIFAR100_DIR`` names, else the cache, else None.

    A relative name counts from the repository, whose commands and notebooks run in
    different folders.
    """
    if os.environ.get("CIFAR100_DIR"):
        return ROOT / os.environ["CIFAR100_DIR"]
    return cache_folder() if cache_folder().exists() else None


def cache_folder():
    """Return the folder, as a `Path`, where the data is kept for all notebooks."""
    return user_cache_path("cifar100-lecture") / "cifar-100-binary"


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
    """
    path = Path(path)
    expected = records * RECORD_BYTES
    try:
        size = path.stat().st_size
    except OSError:
        raise DataError(
            f"{path.name} was not found in {path.parent}: put the official"
            " file there, or name another folder in CIFAR100_DIR."
        ) from None
    if size != expected:
        raise DataError(
            f"{path} has {size:,} bytes where {expected:,} were expected: it is"
            " truncated or another file, so copy the official one again."
        )
    images = np.empty((records, 32, 32, 3), np.uint8)
    labels = np.empty((records, 1), np.uint8)
    digest = hashlib.sha256()
    try:
        file = open(path, "rb")
    except OSError as error:
        raise DataError(
            f"{path} cannot be read ({error.strerror}): give yourself the right to read"
            " it, or copy the file again."
        ) from None
    with file:
        # A thousand records at a time, so that memory holds the images only once.
        for start in range(0, records, 1000):
            stop = min(start + 1000, records)
            chunk = file.read((stop - start) * RECORD_BYTES)
            digest.update(chunk)
            rows = np.frombuffer(chunk, np.uint8).reshape(-1, RECORD_BYTES)
            labels[start:stop] = rows[:, 1:2]
            planes = rows[:, 2:].reshape(-1, 3, 32, 32)
            images[start:stop] = planes.transpose(0, 2, 3, 1)
    if digest.hexdigest() != sha256:
        raise DataError(
            f"{path} has SHA-256 {digest.hexdigest()} where {sha256} was expected: its"
            " content is not the official one, so copy the file again."
        )
    if labels.max() > 99:
        raise DataError(
            f"{path} holds the label {labels.max()}, expected 0 to 99: it is not"
            " CIFAR-100, so copy the official file."
        )
    return images, labels


def _classes():
    """Return the 100 class names and the superclass number of each."""
    superclass = {
        name: number
        for number, group in enumerate(sorted(SUPERCLASSES))
        for name in SUPERCLASSES[group].split()
    }
    names = sorted(superclass)
    return names, np.array([superclass[name] for name in names], np.uint8)


def _stand_in():
    """Return the drawn stand-in in the form of the data set."""
    train, test, superclass_names, class_names = draw_stand_in(
        FILES["train.bin"][0], FILES["test.bin"][0]
    )
    return Cifar100(
        train=train,
        test=test,
        class_names=class_names,
        superclass_names=superclass_names,
        superclass_of=np.repeat(np.arange(20, dtype=np.uint8), 5),
        name="stand-in data",
    )

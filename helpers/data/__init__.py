"""CIFAR-100, from wherever it can be had, verified; or a stand-in that says so."""

import logging
import os
from typing import NamedTuple

import numpy as np

from helpers.data.cache import NoDataError, cache_folder, data_folder
from helpers.data.records import FILES, DataError, read_records
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

log = logging.getLogger(__name__)


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


def load_cifar100(source=None, *, download=True):
    """Return CIFAR-100 as unsigned bytes, verified.

    The data comes from the first of: `source`; what the environment variable
    ``CIFAR100_DIR`` names; the cache; an archive put into the cache by hand; what Keras
    has downloaded; the official site; a mirror. All but the first two end in the cache,
    from where the next call reads. Where none has it, a drawn stand-in of the same
    shapes takes its place and says so in its `name` and in its class names, unless
    ``CIFAR100_STAND_IN`` is "never"; if that variable is "always", the stand-in comes
    without a search.

    Parameters
    ----------
    source : path-like, optional
        A folder that holds ``train.bin`` and ``test.bin`` of the official binary
        version, an archive of the binary or the Python version, or a folder with one.
    download : bool
        Whether the data may be downloaded (about 170 MB).

    Returns
    -------
    Cifar100
        The arrays that ``keras.datasets.cifar100.load_data()`` returns, and the names.

    Raises
    ------
    NoDataError
        If the data is nowhere to be had and the stand-in is not allowed.
    DataError
        If `source` is missing, truncated or not the published data, or if the cache
        cannot be written.

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
    if source is None and stand_in == "always":
        return _stand_in()
    try:
        train, test = _read(source, download)
    except NoDataError as error:
        if stand_in == "never":
            raise
        log.warning("%s A drawn stand-in takes its place.", error)
        return _stand_in()
    class_names, superclass_of = _classes()
    return Cifar100(
        train=train,
        test=test,
        class_names=class_names,
        superclass_names=sorted(SUPERCLASSES),
        superclass_of=superclass_of,
        name="CIFAR-100",
    )


def _read(source, download):
    """Return the two parts; a cache that turns out to be damaged is filled again."""
    folder = data_folder(source, download=download)
    try:
        return [read_records(folder / name, *FILES[name]) for name in FILES]
    except DataError as error:
        if cache_folder() not in folder.parents:
            raise
        log.warning("%s Getting it again.", error)
    folder = data_folder(source, download=download, verify=True)
    return [read_records(folder / name, *FILES[name]) for name in FILES]


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

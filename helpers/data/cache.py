"""Where CIFAR-100 is on this machine, and how it gets there: once, and whole."""

import contextlib
import datetime
import logging
import os
import shutil
from pathlib import Path

from filelock import FileLock, Timeout
from platformdirs import user_cache_path

from helpers.data.archives import unpack
from helpers.data.download import MIRRORS, fetch
from helpers.data.records import FILES, DataError, verify_records

ROOT = Path(__file__).resolve().parents[2]
# Below a folder: what others have kept there, in the order in which it is tried.
KNOWN_NAMES = [
    ["cifar-100-binary.tar.gz"],
    ["cifar-100-binary.tar"],
    ["cifar-100-python/train", "cifar-100-python/test"],
    [
        "cifar-100-python-target/cifar-100-python/train",
        "cifar-100-python-target/cifar-100-python/test",
    ],
    ["train", "test"],
    ["cifar-100-python-target_archive"],
    ["cifar-100-python.tar.gz"],
    ["cifar-100-python.tar"],
    ["train-00000-of-00001.parquet", "test-00000-of-00001.parquet"],
]

log = logging.getLogger(__name__)


class NoDataError(DataError):
    """CIFAR-100 is not on this machine, and could not be brought there."""


def cache_folder():
    """Return the folder, as a `Path`, where the data is kept for all notebooks."""
    return user_cache_path("cifar100-lecture")


def data_folder(source=None, *, download=True, verify=False):
    """Return the folder that holds train.bin and test.bin, and fill it if need be.

    Parameters
    ----------
    source, download
        As in `helpers.load_cifar100`.
    verify : bool
        Whether the content of a filled cache is checked, and replaced if it is wrong.

    Returns
    -------
    Path
        A folder with both files; their content is verified whenever they are read.

    Raises
    ------
    NoDataError
        If there is no `source` and the data is found nowhere.
    DataError
        If `source` is not CIFAR-100, or the cache cannot be written.
    """
    if source is None and os.environ.get("CIFAR100_DIR"):
        source = ROOT / os.path.expanduser(os.environ["CIFAR100_DIR"])
    archives = None
    if source is not None:
        source = Path(os.path.expanduser(source))
        for folder in (source, source / "cifar-100-binary"):
            if any(os.path.isfile(folder / name) for name in FILES):
                return folder
        archives = _archives_of(source)
    kept = cache_folder() / "cifar-100-binary"
    if _is_kept(kept, archives) and not verify:
        _remove_leftovers()
        return kept
    if not (archives or download or verify or _known_archives()):
        raise NoDataError(_what_to_do())
    try:
        cache_folder().mkdir(parents=True, exist_ok=True)
        with _lock():
            if not (_is_kept(kept, archives) and _is_right(kept)):
                _fill(kept, archives, download)
    except OSError as error:
        raise DataError(
            f"CIFAR-100 could not be kept in {cache_folder()} ({error.strerror}): make"
            " that folder writable, with 0.6 GB of free space, or set CIFAR100_DIR to a"
            " folder that holds train.bin and test.bin."
        ) from None
    return kept


def source_of(folder):
    """Return where the data in a folder came from, in words."""
    try:
        return (folder / "source.txt").read_text("utf-8", "replace").strip()
    except OSError:
        return "put there by hand"


def clear():
    """Remove from the cache what was not put there by hand; return the bytes freed."""
    kept, partial = cache_folder() / "cifar-100-binary", cache_folder() / "partial"
    ours = [kept] if os.path.isfile(kept / "source.txt") else []
    ours += [partial] if os.path.isdir(partial) else []
    if not ours:
        return 0
    try:
        with _lock():
            files = [path for folder in ours for path in folder.iterdir()]
            size = sum(path.stat().st_size for path in files)
            for folder in ours:
                shutil.rmtree(folder)
    except OSError as error:
        raise DataError(
            f"{cache_folder()} cannot be cleared ({error.strerror or error}): give"
            " yourself the right to write there, or remove it by hand."
        ) from None
    return size


@contextlib.contextmanager
def _lock():
    """Let one process at a time fill the cache; the lock of a dead one is free."""
    lock = FileLock(cache_folder() / "lock")
    try:
        held = lock.acquire(timeout=1)
    except Timeout:
        log.warning("Waiting for another program that is fetching CIFAR-100 ...")
        held = lock.acquire()
    with held:
        yield


def _remove_leftovers():
    """Remove what was left by a kill at the very end of filling the cache."""
    partial = cache_folder() / "partial"
    if partial.exists():
        lock = FileLock(cache_folder() / "lock", timeout=0)
        with contextlib.suppress(OSError), lock:  # else somebody is at work there
            shutil.rmtree(partial, ignore_errors=True)


def _archives_of(source):
    """Return the files of a source that is named, be it an archive or a folder."""
    if os.path.isfile(source):
        return [source]
    for archives in _archives_below(source):
        return archives
    found = os.path.exists(source)
    problem = "holds no CIFAR-100" if found else "was not found, or cannot be read"
    raise DataError(
        f"{source} {problem}: name, as argument or in CIFAR100_DIR, a folder that holds"
        " train.bin and test.bin, or an archive of CIFAR-100."
    )


def _archives_below(folder):
    """Return the lists of files of `KNOWN_NAMES` that a folder has."""
    known = [[folder / name for name in names] for names in KNOWN_NAMES]
    return [paths for paths in known if all(map(os.path.isfile, paths))]


def _known_archives():
    """Return what was put into the cache by hand, then what Keras has downloaded."""
    keras = os.path.expanduser(os.environ.get("KERAS_HOME") or "~/.keras")
    return _archives_below(cache_folder()) + _archives_below(Path(keras) / "datasets")


def _is_kept(kept, archives):
    """Return whether the cache has both files, made of these archives if any."""
    found = all(os.path.isfile(kept / name) for name in FILES)
    return found and (archives is None or source_of(kept) == _describe(archives))


def _is_right(kept):
    try:
        for name, (records, sha256) in FILES.items():
            verify_records(kept / name, records, sha256)
    except DataError:
        return False
    return True


def _describe(archives):
    """Return the names of archives, with what changes when they are changed."""
    described = []
    for path in archives:
        changed = path.stat().st_mtime
        changed = datetime.datetime.fromtimestamp(changed, datetime.timezone.utc)
        described.append(f"{path.resolve()} of {changed}")
    return ", ".join(described).encode("utf-8", "backslashreplace").decode()


def _fill(kept, archives, download):
    """Put both files into the cache from the first source that has them."""
    partial = cache_folder() / "partial"
    partial.mkdir(exist_ok=True)
    try:
        if archives is None:
            source = _unpack_first(partial, download)
        else:
            unpack(archives, partial)
            source = _describe(archives)
        (partial / "source.txt").write_text(source + "\n", encoding="utf-8")
    except OSError:  # most often a full disk: give back what was taken
        shutil.rmtree(partial, ignore_errors=True)
        raise
    # A kill between two of these leaves whole files, and what is missing is made again.
    kept.mkdir(exist_ok=True)
    (kept / "source.txt").unlink(missing_ok=True)
    for name in (*FILES, "source.txt"):
        os.replace(partial / name, kept / name)
    shutil.rmtree(partial, ignore_errors=True)


def _unpack_first(partial, download):
    """Unpack the first source that holds the data, and say where it came from."""
    for archives in _known_archives():
        try:
            unpack(archives, partial)
            return _describe(archives)
        except DataError as error:
            log.warning("%s", error)
    for urls in MIRRORS if download else []:
        try:
            fetch(urls, partial)
            return f"{', '.join(urls)}, on {datetime.date.today()}"
        except DataError as error:
            log.warning("%s", error)
    raise NoDataError(_what_to_do())


def _what_to_do():
    return (
        "CIFAR-100 is not on this machine: download"
        " https://www.cs.toronto.edu/~kriz/cifar-100-binary.tar.gz in a browser and put"
        f" it into {cache_folder()}, or set CIFAR100_DIR to where it is."
    )

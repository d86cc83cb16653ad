"""Decode the forms in which CIFAR-100 is handed round into the binary version.

Nothing in an archive is trusted: it is read by content, within bounds, under names that
are given here, and what comes out must have the published SHA-256.
"""

import gzip
import hashlib
import io
import pickle
import shutil
import tarfile

import numpy as np

from helpers.data.records import FILES, RECORD_BYTES, DataError, verify_records

# SHA-256 of the two pickles of the Python version, which Keras downloads.
PICKLES = {
    "train.bin": "735e79b04f092ca3d2e6d07f368c0a7d70d48c48d28865950cc24454cf45129b",
    "test.bin": "4b67687d9933c4db8f0831104447f15b93774f4f464bd0516f0f0f2ac83b7864",
}
# The members that are read of a tar archive: of the binary and of the Python version.
MEMBERS = {
    "cifar-100-binary/train.bin": "train.bin",
    "cifar-100-binary/test.bin": "test.bin",
    "cifar-100-python/train": "train.bin",
    "cifar-100-python/test": "test.bin",
}
PICKLED_RECORD_BYTES = 3200  # at most: pixels, two labels and a file name


def unpack(paths, folder):
    """Write train.bin and test.bin, verified, from files of any known form.

    Parameters
    ----------
    paths : list of Path
        Files that hold the data together: a tar archive of the binary or the Python
        version, compressed by gzip or not; the two pickles of the Python version; or
        two Parquet files with the columns ``img`` (PNG), ``fine_label`` and
        ``coarse_label``. Their names do not matter.
    folder : Path
        Where the two files are written; after an error neither is there.

    Raises
    ------
    DataError
        If a file is damaged, of another form, or does not hold the published data.
    OSError
        If `folder` cannot be written.
    """
    try:
        for path in paths:
            _unpack_one(path, folder)
        for name, (records, sha256) in FILES.items():
            _verify(folder / name, records, sha256, paths)
    except BaseException:
        for name in FILES:
            (folder / name).unlink(missing_ok=True)
            (folder / f"{name}.pickle").unlink(missing_ok=True)
        raise


def _unpack_one(path, folder):
    try:
        _reader(path)(path, folder)
    except DataError:
        raise
    except Exception as error:  # a damaged archive fails in any way it likes
        if isinstance(error, OSError) and error.errno:
            raise  # the disk, not the archive
        raise DataError(
            f"{path} cannot be read as CIFAR-100 ({type(error).__name__}: {error}): it"
            " is damaged or something else, so download it again."
        ) from None


def _verify(unpacked, records, sha256, paths):
    try:
        verify_records(unpacked, records, sha256)
    except DataError:
        raise DataError(
            f"{' and '.join(map(str, paths))} does not hold the published"
            f" {unpacked.name}: download it again, or from elsewhere."
        ) from None


def _reader(path):
    """Return the function that reads a file of this beginning."""
    try:
        with open(path, "rb") as file:
            beginning = file.read(512)
    except OSError as error:
        raise DataError(
            f"{path} cannot be read ({error.strerror}): give yourself the right to read"
            " it, or download it again."
        ) from None
    if beginning.startswith(b"PAR1"):
        return _unpack_parquet
    if beginning.startswith(b"\x1f\x8b") or beginning[257:262] == b"ustar":
        return _unpack_tar
    return _unpack_pickle


class _Bounded:
    """A file that refuses to give more than `limit` bytes."""

    def __init__(self, file, limit):
        self.file, self.left = file, limit

    def read(self, size):
        content = self.file.read(size)
        self.left -= len(content)
        if self.left < 0:
            raise ValueError("it holds far more than the data")
        return content


def _unpack_tar(path, folder):
    """Copy the expected members, whatever else the archive holds."""
    limit = 2 * sum(records for records, _ in FILES.values()) * RECORD_BYTES
    with open(path, "rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        content = _Bounded(gzip.GzipFile(fileobj=file) if packed else file, limit)
        with tarfile.open(fileobj=content, mode="r|") as archive:
            for member in archive:
                name = MEMBERS.get(member.name.removeprefix("./"))
                if name is None or not member.isreg():
                    continue
                pickled = not member.name.endswith(".bin")
                size = FILES[name][0] * RECORD_BYTES
                most = FILES[name][0] * PICKLED_RECORD_BYTES if pickled else size
                if not size <= member.size <= most:
                    raise DataError(
                        f"{member.name} in {path} has {member.size:,} bytes where"
                        f" {most:,} were expected: download the archive again."
                    )
                target = folder / (f"{name}.pickle" if pickled else name)
                with open(target, "wb") as out:
                    shutil.copyfileobj(archive.extractfile(member), out, 2**20)
                if pickled:
                    _unpack_pickle(target, folder)
                    target.unlink()


class _Unpickler(pickle._Unpickler):
    """Admits what a pickled array needs, and nothing else.

    It is the Python form of the unpickler: the C form holds the pixels twice.
    """

    def find_class(self, module, name):
        if (module, name) not in {
            ("numpy.core.multiarray", "_reconstruct"),
            ("numpy", "ndarray"),
            ("numpy", "dtype"),
        }:
            raise pickle.UnpicklingError(f"{module}.{name} is not admitted")
        return super().find_class(module, name)


def _unpack_pickle(path, folder):
    """Read a pickle of the Python version, if its bytes are the published ones."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(2**20):
            digest.update(chunk)
        names = [name for name in PICKLES if PICKLES[name] == digest.hexdigest()]
        if not names:
            raise ValueError("neither a known archive nor a published pickle")
        file.seek(0)
        batch = _Unpickler(file, encoding="bytes").load()
    labels = np.array([batch[b"coarse_labels"], batch[b"fine_labels"]], np.uint8).T
    with open(folder / names[0], "wb") as out:
        for start in range(0, len(labels), 1000):
            part = slice(start, start + 1000)
            out.write(np.hstack([labels[part], batch[b"data"][part]]).tobytes())


def _unpack_parquet(path, folder):
    """Decode the PNG images of a Parquet file."""
    from pyarrow.parquet import ParquetFile  # half a second, seldom needed

    with ParquetFile(path, buffer_size=2**20) as file:
        rows = file.metadata.num_rows
        names = [name for name, (records, _) in FILES.items() if records == rows]
        if not names:
            raise ValueError(f"it has {rows:,} rows")
        columns = ["img.bytes", "coarse_label", "fine_label"]
        with open(folder / names[0], "wb") as out:
            for batch in file.iter_batches(100, columns=columns):
                if batch.nbytes > 2 * 100 * RECORD_BYTES:
                    raise ValueError("its images are far larger than the data")
                pixels = map(_decode_png, batch["img"].field("bytes").to_pylist())
                labels = [batch["coarse_label"], batch["fine_label"]]
                labels = np.array(labels, np.uint8).T
                out.write(np.hstack([labels, list(pixels)]).tobytes())


def _decode_png(content):
    """Return an image's 3,072 pixels as uint8, all red, all green, all blue."""
    from PIL import Image

    with Image.open(io.BytesIO(content), formats=["PNG"]) as image:
        if (image.mode, image.size) != ("RGB", (32, 32)):
            raise ValueError(f"it holds a {image.mode} image of {image.size} pixels")
        return np.asarray(image).transpose(2, 0, 1).ravel()

"""Archives that are damaged, or made to do harm."""

import io
import pickle
import tarfile
import zlib

import numpy as np
import pyarrow
import pytest
from faulty import Python2Pickler, sha256, tar
from PIL import Image
from pyarrow import parquet

from helpers import DataError
from helpers.data import FILES
from helpers.data.archives import PICKLES, unpack


@pytest.fixture
def unpacked(small, tmp_path):
    """Unpack contents of files, and return what is then in a folder of its own."""
    folder = tmp_path / "unpacked"
    folder.mkdir()

    def unpack_contents(*contents):
        paths = [tmp_path / f"archive {number}" for number in range(len(contents))]
        for path, content in zip(paths, contents, strict=True):
            path.write_bytes(content)
        before = listing(tmp_path)
        try:
            unpack(paths, folder)
        finally:
            new = listing(tmp_path) - before
            assert all(path.parent == folder for path in new)
        return {path.name: path.read_bytes() for path in folder.iterdir()}

    return unpack_contents


def listing(folder):
    return {path for path in folder.rglob("*") if not path.is_dir()}


def binary(forms):
    return [(f"cifar-100-binary/{name}", forms[name]) for name in FILES]


@pytest.fixture
def contents(forms):
    return {name: forms[name] for name in FILES}


@pytest.mark.parametrize("form", ["binary", "python"])
def test_both_versions_give_the_same_records(unpacked, forms, contents, form):
    assert unpacked(forms[form]) == contents


@pytest.mark.parametrize("form", ["pickles", "parquet"])
def test_pairs_of_files_give_the_same_records(unpacked, forms, contents, form):
    assert unpacked(*forms[form].values()) == contents
    assert unpacked(*reversed(forms[form].values())) == contents


def test_members_may_begin_with_a_dot(unpacked, forms, contents):
    assert unpacked(tar([(f"./{name}", c) for name, c in binary(forms)])) == contents


def test_archive_that_a_browser_has_decompressed(unpacked, forms, contents):
    assert unpacked(tar(binary(forms), packed=False)) == contents


def test_other_members_are_left_alone(unpacked, forms, contents, tmp_path):
    link = tarfile.TarInfo("cifar-100-binary/link.bin")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    device = tarfile.TarInfo("cifar-100-binary/null")
    device.type = tarfile.CHRTYPE
    others = [
        ("../outside", b"harm"),
        ("../../outside", b"harm"),
        (str(tmp_path.parent / "outside"), b"harm"),
        (link, b""),
        (device, b""),
    ]
    assert unpacked(tar([*others, *binary(forms)])) == contents
    assert not (tmp_path.parent / "outside").exists()


@pytest.mark.parametrize("name", ["../train.bin", "../cifar-100-binary/train.bin"])
def test_expected_name_outside_the_folder_is_not_read(unpacked, forms, name):
    _, test = binary(forms)
    with pytest.raises(DataError, match=r"published train\.bin"):
        unpacked(tar([(name, forms["train.bin"]), test]))


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE])
def test_link_under_an_expected_name_is_not_followed(unpacked, forms, tmp_path, kind):
    (tmp_path / "secret").write_bytes(forms["train.bin"])
    link = tarfile.TarInfo("cifar-100-binary/train.bin")
    link.type, link.linkname = kind, str(tmp_path / "secret")
    with pytest.raises(DataError, match=r"published train\.bin"):
        unpacked(tar([(link, b""), binary(forms)[1]]))


def test_bomb_is_refused_early(unpacked, forms):
    """128 MB of zeros before the data, which is 5.5 MB: they are not all read."""
    deflate = zlib.compressobj(9, wbits=31)
    head = tarfile.TarInfo("cifar-100-binary/zeros")
    head.size = 2**27
    bomb = [deflate.compress(head.tobuf())]
    bomb += [deflate.compress(bytes(2**20)) for _ in range(128)]
    bomb += [deflate.compress(tar(binary(forms), packed=False)), deflate.flush()]
    with pytest.raises(DataError, match="far more than the data"):
        unpacked(b"".join(bomb))


def test_bomb_in_an_extended_header_is_refused_early(unpacked):
    deflate = zlib.compressobj(9, wbits=31)
    head = tarfile.TarInfo("././@PaxHeader")
    head.type, head.size = tarfile.XHDTYPE, 2**27
    bomb = [deflate.compress(head.tobuf())]
    bomb += [deflate.compress(bytes(2**20)) for _ in range(128)]
    with pytest.raises(DataError, match="far more than the data"):
        unpacked(b"".join([*bomb, deflate.flush()]))


@pytest.mark.parametrize(
    "name", ["cifar-100-binary/train.bin", "cifar-100-python/train"]
)
@pytest.mark.parametrize("factor", [0.5, 1.5])
def test_expected_name_of_another_size_is_refused(unpacked, forms, name, factor):
    size = int(len(forms["train.bin"]) * factor)
    with pytest.raises(DataError, match=f"has {size:,} bytes where"):
        unpacked(tar([(name, bytes(size))]))


@pytest.mark.parametrize("form", ["binary", "python"])
@pytest.mark.parametrize("share", [0, 0.001, 0.1, 0.5, 0.99])
def test_truncated_archive_is_refused(unpacked, forms, form, share):
    with pytest.raises(DataError, match="download it again"):
        unpacked(forms[form][: int(share * len(forms[form]))])


@pytest.mark.parametrize("share", [0.001, 0.5, 0.99])
def test_truncated_parquet_is_refused(unpacked, forms, share):
    train, test = forms["parquet"].values()
    with pytest.raises(DataError, match="cannot be read as CIFAR-100"):
        unpacked(test, train[: int(share * len(train))])


class Harmful:
    """Pickled, this asks whoever unpickles it to create a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def test_harmful_pickle_is_not_unpickled(unpacked, tmp_path):
    harm = pickle.dumps({b"data": Harmful(tmp_path / "harm")}, 2)
    with pytest.raises(DataError, match="neither a known archive nor a published"):
        unpacked(harm)
    assert not (tmp_path / "harm").exists()
    # The same pickle does create the file where nobody is careful.
    pickle.loads(harm)[b"data"].close()
    assert (tmp_path / "harm").exists()


def test_harmful_pickle_in_an_archive_is_not_unpickled(unpacked, forms, tmp_path):
    size = len(forms["pickles"]["train.bin"])
    harm = pickle.dumps({b"data": Harmful(tmp_path / "harm")}, 2)
    with pytest.raises(DataError, match="neither a known archive nor a published"):
        unpacked(tar([("cifar-100-python/train", harm.ljust(size, b"."))]))
    assert not (tmp_path / "harm").exists()


@pytest.mark.parametrize(
    "harm", ["builtins.open", "os.system", "numpy.load", "numpy.core.multiarray.array"]
)
def test_pickle_of_a_known_hash_still_gets_only_arrays(unpacked, monkeypatch, harm):
    """Even a pickle that passes for a published one can name nothing but arrays."""
    module, name = harm.rsplit(".", 1)
    content = b"c" + module.encode() + b"\n" + name.encode() + b"\n(X\1\0\0\0atR."
    monkeypatch.setitem(PICKLES, "train.bin", sha256(content))
    with pytest.raises(DataError, match=f"{harm} is not admitted"):
        unpacked(content)


def test_pickle_of_an_object_array_is_refused(unpacked, monkeypatch):
    buffer = io.BytesIO()
    batch = {
        b"data": np.array([{}, []], object),
        b"fine_labels": [1, 2],
        b"coarse_labels": [1, 2],
    }
    Python2Pickler(buffer, 2).dump(batch)
    content = buffer.getvalue().replace(b"numpy._core.multi", b"numpy.core.multi")
    monkeypatch.setitem(PICKLES, "train.bin", sha256(content))
    with pytest.raises(DataError):
        unpacked(content)


def test_image_of_another_size_is_refused(unpacked):
    buffer = io.BytesIO()
    Image.new("RGB", (64, 64)).save(buffer, "PNG")
    with pytest.raises(DataError, match=r"\(64, 64\) pixels"):
        unpacked(parquet_of_one(buffer.getvalue()))


def test_image_that_is_no_png_is_refused(unpacked):
    buffer = io.BytesIO()
    Image.new("RGB", (32, 32)).save(buffer, "BMP")
    with pytest.raises(DataError, match="cannot identify image file"):
        unpacked(parquet_of_one(buffer.getvalue()))


def test_bomb_of_parquet_is_refused_early(unpacked):
    """Three hundred times the same 4 MB are a small file until they are read."""
    buffer = io.BytesIO()
    Image.new("RGB", (32, 32)).save(buffer, "PNG")
    bomb = parquet_of_one(buffer.getvalue() + bytes(4_000_000))
    assert len(bomb) < 1_000_000
    with pytest.raises(DataError, match="far larger than the data"):
        unpacked(bomb)


def parquet_of_one(image):
    """Return a Parquet file of as many images as the test part has, all the same."""
    rows = FILES["test.bin"][0]
    table = pyarrow.table(
        {
            "img": [{"bytes": image, "path": None}] * rows,
            "fine_label": [0] * rows,
            "coarse_label": [0] * rows,
        }
    )
    content = io.BytesIO()
    parquet.write_table(table, content)
    return content.getvalue()

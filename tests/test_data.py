import hashlib
import re
import subprocess
import sys

import numpy as np
import pytest
from conftest import ROOT
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from helpers import DataError, NoDataError, load_cifar100
from helpers.data import data_folder
from helpers.data.records import FILES, RECORD_BYTES, read_records


@pytest.fixture
def records(tmp_path):
    """A file of three records whose every byte is known."""
    rows = np.arange(3 * RECORD_BYTES, dtype=np.uint64).astype(np.uint8)
    rows = rows.reshape(3, RECORD_BYTES)
    rows[:, 0], rows[:, 1] = [4, 5, 6], [0, 50, 99]
    path = tmp_path / "train.bin"
    path.write_bytes(rows.tobytes())
    return path, rows, hashlib.sha256(rows.tobytes()).hexdigest()


def test_records_become_images_and_labels(records):
    path, rows, sha256 = records
    images, labels = read_records(path, 3, sha256)
    assert images.shape == (3, 32, 32, 3) and images.dtype == np.uint8
    assert labels.shape == (3, 1) and labels.dtype == np.uint8
    assert labels.ravel().tolist() == [0, 50, 99]
    # Row 5, column 7, blue: the third plane of 1,024 pixels.
    assert images[1, 5, 7, 2] == rows[1, 2 + 2 * 1024 + 5 * 32 + 7]


def test_truncated_file_is_refused(records):
    path, _, sha256 = records
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(DataError, match=r"9,221 bytes where 9,222.*truncated"):
        read_records(path, 3, sha256)


def test_changed_byte_is_refused(records):
    path, _, sha256 = records
    content = bytearray(path.read_bytes())
    content[4000] ^= 1
    path.write_bytes(content)
    with pytest.raises(DataError, match="content is not the official one"):
        read_records(path, 3, sha256)


def test_label_out_of_range_is_refused(records):
    path, rows, _ = records
    rows[0, 1] = 100
    path.write_bytes(rows.tobytes())
    with pytest.raises(DataError, match="holds the label 100, expected 0 to 99"):
        read_records(path, 3, hashlib.sha256(rows.tobytes()).hexdigest())


# One folder for all examples: each writes its own file anew.
examples = settings(
    deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@examples
@given(length=st.integers(0, 4 * RECORD_BYTES).filter(lambda n: n != 3 * RECORD_BYTES))
def test_every_other_length_is_refused(records, length):
    path, rows, sha256 = records
    path.write_bytes((rows.tobytes() + rows.tobytes())[:length])
    with pytest.raises(DataError) as caught:
        read_records(path, 3, sha256)
    assert f"{path} has {length:,} bytes where 9,222 were expected" in str(caught.value)


@examples
@given(position=st.integers(0, 3 * RECORD_BYTES - 1), change=st.integers(1, 255))
def test_every_other_byte_is_refused(records, position, change):
    path, rows, sha256 = records
    content = bytearray(rows.tobytes())
    content[position] ^= change
    path.write_bytes(content)
    with pytest.raises(DataError, match="content is not the official one"):
        read_records(path, 3, sha256)


@examples
@given(
    labels=st.lists(st.integers(0, 99), min_size=1, max_size=5),
    seed=st.integers(0, 2**32),
)
def test_records_of_any_number_come_back(tmp_path, labels, seed):
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 256, (len(labels), 32, 32, 3), np.uint8)
    content = b"".join(
        bytes([0, label]) + image.transpose(2, 0, 1).tobytes()
        for label, image in zip(labels, pixels, strict=True)
    )
    path = tmp_path / "test.bin"
    path.write_bytes(content)
    sha256 = hashlib.sha256(content).hexdigest()
    images, read = read_records(path, len(labels), sha256)
    assert read.ravel().tolist() == labels and (images == pixels).all()


def test_empty_folder_is_refused(tmp_path):
    with pytest.raises(DataError, match=f"{re.escape(str(tmp_path))} holds no CIFAR"):
        load_cifar100(tmp_path)


def test_folder_with_one_of_the_two_files_is_refused(tmp_path):
    (tmp_path / "test.bin").touch()
    with pytest.raises(DataError, match=r"train\.bin was not found in"):
        load_cifar100(tmp_path)


def test_named_folder_is_not_replaced_by_the_stand_in(tmp_path, monkeypatch):
    monkeypatch.setenv("CIFAR100_DIR", str(tmp_path / "nowhere"))
    with pytest.raises(DataError, match=r"nowhere.*CIFAR100_DIR"):
        load_cifar100()


def test_relative_folder_counts_from_the_repository(tmp_path, monkeypatch):
    monkeypatch.setenv("CIFAR100_DIR", "../some data")
    monkeypatch.chdir(tmp_path)
    named = re.escape(str(ROOT / "../some data"))
    with pytest.raises(DataError, match=f"{named} was not found"):
        load_cifar100()


def test_stand_in_can_be_forbidden(no_data, monkeypatch):
    monkeypatch.setenv("CIFAR100_STAND_IN", "never")
    with pytest.raises(NoDataError, match="CIFAR-100 is not on this machine"):
        load_cifar100()


def test_unknown_setting_is_refused(monkeypatch):
    monkeypatch.setenv("CIFAR100_STAND_IN", "no")
    with pytest.raises(DataError, match="'no', expected 'never', 'always' or nothing"):
        load_cifar100()


def test_stand_in_comes_where_there_is_no_data_and_says_so(no_data):
    cifar = load_cifar100()
    assert cifar.name == "stand-in data"
    for name in [*cifar.class_names, *cifar.superclass_names]:
        assert name.startswith("stand-in ")
    for (images, labels), n in ((cifar.train, 50_000), (cifar.test, 10_000)):
        assert images.shape == (n, 32, 32, 3) and images.dtype == np.uint8
        assert labels.shape == (n, 1) and labels.dtype == np.uint8
        assert (np.bincount(labels.ravel()) == n // 100).all()


def test_real_data_is_what_is_published(real_data):
    (x_train, y_train), (x_test, y_test) = real_data.train, real_data.test
    assert y_train[:5, 0].tolist() == [19, 29, 0, 11, 1]
    assert y_test[:5, 0].tolist() == [49, 33, 72, 51, 71]
    means = x_train.mean(axis=(0, 1, 2)) / 255
    assert means == pytest.approx([0.50708, 0.48655, 0.44092], abs=1e-5)
    means = x_test.mean(axis=(0, 1, 2)) / 255
    assert means == pytest.approx([0.50880, 0.48739, 0.44194], abs=1e-5)
    assert (np.bincount(y_train.ravel()) == 500).all()
    assert real_data.class_names[19] == "cattle"


def test_superclasses_are_those_of_the_records(real_data):
    rows = np.memmap(data_folder(download=False) / "test.bin", np.uint8, "r")
    rows = rows.reshape(-1, RECORD_BYTES)
    assert len(rows) == FILES["test.bin"][0]
    assert (real_data.superclass_of[rows[:, 1]] == rows[:, 0]).all()


def test_importing_helpers_does_not_import_tensorflow():
    program = "import sys, helpers; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0

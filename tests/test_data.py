"""The data: right, or one sentence, whatever the network and the cache are like."""

import hashlib
import io
import os
import pickle
import re
import shutil
import socket
import sys
import tarfile
import tempfile
import tracemalloc
from pathlib import Path

import loopback
import numpy as np
import pytest
from conftest import ROOT, run
from loopback import stalled, status, whole

from helpers import (
    DataError,
    Dataset,
    NoDataError,
    data,
    load_cifar100,
    quiet_start,
)
from helpers.data import ARCHIVE, FILES, RECORD_BYTES, data_folder, data_note
from helpers.stand_in import draw_stand_in

posix = pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX processes")


def sha256(content):
    return hashlib.sha256(content).hexdigest()


def known(files):
    """Return what `helpers.data.FILES` says of files."""
    return {name: (len(x) // RECORD_BYTES, sha256(x)) for name, x in files.items()}


@pytest.fixture(scope="module")
def files():
    """Small files of both parts, random but valid."""
    rng = np.random.default_rng(1)
    both = rng.integers(0, 256, (1800, RECORD_BYTES), np.uint8)
    both[:, :2] %= 20
    return {"train.bin": both[:1500].tobytes(), "test.bin": both[1500:].tobytes()}


@pytest.fixture(scope="module")
def archive(files):
    """Their compressed archive, with a member that nobody asked for."""
    members = {f"cifar-100-binary/{name}": files[name] for name in files}
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz", compresslevel=1) as archive:
        for name, content in {**members, "../evil": b"evil"}.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


@pytest.fixture
def small(no_data, files, archive, monkeypatch):
    """A machine without the data, to which the small data is the published one."""
    monkeypatch.setenv("CIFAR100_STAND_IN", "never")
    monkeypatch.setattr(data, "FILES", known(files))
    monkeypatch.setattr(data, "ARCHIVE_SHA256", sha256(archive))
    return no_data


@pytest.fixture
def kept(small, files):
    """The folder of a cache that holds the data."""
    return put(small / "cifar-100-binary", files)


def put(folder, files):
    folder.mkdir(parents=True, exist_ok=True)
    for name in files:
        (folder / name).write_bytes(files[name])
    return folder


@pytest.fixture
def server(small):
    with loopback.Server() as server:
        yield server


@pytest.fixture
def loads(files, caplog):
    """Load, compare all bytes, return what was said but that the data is fetched."""

    def load(*arguments, **options):
        caplog.clear()
        caplog.set_level("INFO", "helpers.data")  # failed attempts are said there
        cifar = load_cifar100(*arguments, **options)
        assert cifar.name == "CIFAR-100"
        parts = cifar.train, cifar.test
        for (images, labels), content in zip(parts, files.values(), strict=True):
            rows = np.frombuffer(content, np.uint8).reshape(-1, RECORD_BYTES)
            assert labels.dtype == np.uint8 and (labels == rows[:, 1:2]).all()
            planes = rows[:, 2:].reshape(-1, 3, 32, 32)
            assert (images.transpose(0, 3, 1, 2) == planes).all()
        return [line for line in caplog.messages if not line.startswith("Bringing")]

    return load


def test_each_source_is_found_by_argument_and_by_variable(
    small, files, archive, server, tmp_path, monkeypatch, loads
):
    server.mirror(status(404))
    folder = put(tmp_path / "some data" / "cifar-100-binary", files)
    packed = tmp_path / "packed.tar.gz"
    packed.write_bytes(archive)
    for variable in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(variable, str(tmp_path))
    for source in (folder, str(folder.parent), packed, "~/packed.tar.gz"):
        monkeypatch.delenv("CIFAR100_DIR", raising=False)
        assert loads(source) == []
        monkeypatch.setenv("CIFAR100_DIR", str(source))
        assert loads() == []
    assert data_folder(folder) == data_folder(folder.parent) == folder
    assert data_folder(packed) == small / "cifar-100-binary"
    assert not list(tmp_path.rglob("evil"))
    monkeypatch.setenv("CIFAR100_DIR", os.path.relpath(folder, ROOT))
    monkeypatch.chdir(tmp_path)
    assert loads() == []


def test_wrong_source_is_one_sentence(kept, tmp_path, monkeypatch):
    """Neither the cache nor the stand-in takes the place of what is named."""
    monkeypatch.setenv("CIFAR100_STAND_IN", "")
    broken = tmp_path / "broken.tar.gz"
    broken.write_bytes(b"\x1f\x8bbroken")
    for source in (5, b"bytes", tmp_path, tmp_path / "nowhere", broken):
        with pytest.raises(DataError, match="is neither a folder with"):
            load_cifar100(source)
        monkeypatch.setenv("CIFAR100_DIR", str(source))
        with pytest.raises(DataError, match=rf"{re.escape(str(source))} is neither"):
            load_cifar100()
        monkeypatch.delenv("CIFAR100_DIR")
    (tmp_path / "test.bin").touch()
    with pytest.raises(DataError, match=r"train\.bin: No such file.*put the official"):
        load_cifar100(tmp_path)


def test_other_content_is_refused(small, files, tmp_path):
    """Another length, or one changed byte, at any place."""
    path = put(tmp_path / "named", files) / "test.bin"
    right = files["test.bin"]
    others = [right[:-1], right[:-RECORD_BYTES], right + b"x", right + right, b""]
    for place in np.random.default_rng(2).integers(0, len(right), 20):
        changed = bytes([right[place] ^ 1])
        others += [right[:place], right[:place] + changed + right[place + 1 :]]
    for content in others:
        path.write_bytes(content)
        with pytest.raises(DataError, match=r"test\.bin: it is damaged, incomplete or"):
            load_cifar100(path.parent)


def test_nothing_is_unpickled(kept, tmp_path):
    trace = tmp_path / "trace"
    harm = f"cbuiltins\nopen\n(V{trace}\nVw\ntR.".encode()
    pickle.loads(harm)
    assert trace.exists(), "it does no harm, so this would test nothing"
    trace.unlink()
    (tmp_path / "train").write_bytes(harm)
    (kept / "train.bin").write_bytes(harm)
    for source in (tmp_path, tmp_path / "train", kept, None):
        with pytest.raises(DataError):
            load_cifar100(source, download=False)
    assert not trace.exists()


def test_stand_in_says_so(no_data, caplog):
    cifar = load_cifar100()
    assert "stand-in takes its place" in caplog.text
    assert cifar.name == "stand-in data"
    for name in [*cifar.class_names, *cifar.superclass_names]:
        assert name.startswith("stand-in ")
    assert (np.bincount(cifar.superclass_of) == 5).all()
    for part, n in (("train", 50_000), ("test", 10_000)):
        images, labels = getattr(cifar, part)
        assert images.shape == (n, 32, 32, 3) and images.dtype == np.uint8
        assert labels.shape == (n, 1) and labels.dtype == np.uint8
        assert (np.bincount(labels.ravel()) == n // 100).all()
    both = np.concatenate([cifar.train[0][:500], cifar.test[0][:500]])
    assert len(np.unique(both, axis=0)) == 1000


def test_stand_in_can_be_learned():
    with quiet_start():
        import keras
    (x, y), (x_test, y_test), *_ = draw_stand_in(4000, 500)
    keras.utils.set_random_seed(425)
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((32, 32, 3)),
            layers.Rescaling(1 / 255),
            layers.Conv2D(16, 5, strides=2, activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(32, 3, activation="relu"),
            layers.Flatten(),
            layers.Dense(100, activation="softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(x, y, batch_size=16, epochs=3, verbose=0)
    assert model.evaluate(x_test, y_test, verbose=0)[1] > 0.7, "guessing gets 0.01"


def test_stand_in_can_be_forbidden_or_asked_for(kept, monkeypatch, caplog):
    monkeypatch.setenv("CIFAR100_STAND_IN", "always")
    assert load_cifar100().name == "stand-in data" and not caplog.messages
    assert load_cifar100(kept).name == "CIFAR-100"
    monkeypatch.setenv("CIFAR100_STAND_IN", "no")
    with pytest.raises(DataError, match="=no: set never, always, a number"):
        load_cifar100()
    monkeypatch.setenv("CIFAR100_STAND_IN", "never")
    shutil.rmtree(kept)
    with pytest.raises(NoDataError, match="CIFAR-100 is not on this machine"):
        load_cifar100()


def test_stand_in_can_have_fewer_images_for_a_quick_look(kept, monkeypatch):
    monkeypatch.setenv("CIFAR100_STAND_IN", "1000")
    fewer = load_cifar100()
    assert fewer.name == "stand-in data"
    assert (len(fewer.train[0]), len(fewer.test[0])) == (1000, 200)
    assert (np.bincount(fewer.train[1].ravel()) == 10).all()


def test_stand_in_is_the_same_on_every_call(kept, monkeypatch):
    monkeypatch.setenv("CIFAR100_STAND_IN", "1000")
    first, second = load_cifar100(), load_cifar100()
    for part in ("train", "test"):
        for one, other in zip(getattr(first, part), getattr(second, part), strict=True):
            assert (one == other).all()


def test_download_once_then_from_the_cache(server, archive, loads, small):
    server.mirror(whole(archive))
    with pytest.raises(NoDataError):
        load_cifar100(download=False)
    assert server.requests == [] and not small.exists()
    assert loads() == [] and loads() == [] and loads(download=False) == []
    assert server.requests == [("0", 0)]
    assert {path.name for path in small.glob("*.*")} == {ARCHIVE}
    shutil.rmtree(small / "cifar-100-binary")
    loads(download=False)  # from the archive, which may have been put there by hand
    assert len(server.requests) == 1


def test_faulty_mirror_leads_to_the_next(server, archive, loads, small):
    faults = {
        "404": status(404),
        "No connection adapters": status(302, Location="file:///etc/passwd"),
        "many": status(200, Content_Length="many"),
        "does not match": whole(b"<html>Please log in</html>"),
        "known hash": whole(archive[:-9] + b"x" + archive[-8:]),
        "Connection": lambda handler: handler.connection.shutdown(socket.SHUT_RDWR),
    }
    for reason, fault in faults.items():
        server.mirror(fault, whole(archive))
        lines = loads()
        assert lines and all("/0: " in line for line in lines)
        assert any(reason in line for line in lines), lines
        assert not (small / f"{ARCHIVE}.part").exists()
        shutil.rmtree(small)


def test_cut_connection_goes_on_where_it_was(server, archive, loads, small):
    for share in (0.1, 0.5, 0.99):
        for ranges in (True, False):
            server.ranges = ranges
            server.mirror([whole(archive, share=share), whole(archive)])
            (line,) = loads()
            assert "broken" in line
            (_, first), (_, second) = server.requests
            assert first == 0
            assert share * len(archive) - 2**16 <= second <= share * len(archive)
            shutil.rmtree(small)


def test_next_mirror_and_next_call_go_on_where_it_was(server, archive, loads, small):
    half = [whole(archive, share=0.5), status(404)]
    server.mirror([*half], whole(archive))
    loads()
    assert server.requests[-1][1] > 0
    shutil.rmtree(small)
    server.mirror([*half])
    with pytest.raises(NoDataError):
        load_cifar100()
    server.mirror(whole(archive))
    loads()
    assert server.requests[-1][1] > 0


def test_rest_of_another_file_is_not_used(server, archive, loads, small):
    """Nor one that is whole, or too long: the download starts afresh."""
    small.mkdir()
    for rest in (bytes(len(archive) // 2), archive, archive + b"x", b"\x1f\x8b"):
        (small / f"{ARCHIVE}.part").write_bytes(rest)
        server.mirror(whole(archive))
        loads()
        shutil.rmtree(small / "cifar-100-binary")
        (small / ARCHIVE).unlink()


def test_server_is_left_without_progress_but_not_for_being_slow(
    server, archive, loads, small, monkeypatch
):
    monkeypatch.setattr(data, "TIMEOUT", 0.5)
    server.mirror(whole(archive, pauses=15), status(404))
    assert loads() == []
    shutil.rmtree(small)
    server.mirror(stalled(b""), stalled(archive), whole(archive))
    lines = loads()
    assert len(lines) == 4 and all("timed out" in line.lower() for line in lines)
    assert server.requests[-1][1] > 0


@pytest.fixture
def no_network(small, monkeypatch):
    """As `small`; nobody listens where the mirrors should be."""
    monkeypatch.setattr(data, "MIRRORS", ["http://127.0.0.1:1"] * 3)
    return small


def test_no_network_is_one_sentence_with_what_to_do(no_network):
    with pytest.raises(NoDataError, match=r"download https:.*CIFAR100_DIR to where it"):
        load_cifar100()


def without_network(folder, call):
    """Call a function of `helpers.data` in a process without data and network.

    The stand-in has 500 images in each part there.
    """
    program = "from helpers import data; data.MIRRORS = ['http://127.0.0.1:1'] * 3\n"
    program += f"from pathlib import Path; data.CACHE = Path({str(folder)!r})\n"
    program += "data.FILES = {k: (500, v[1]) for k, v in data.FILES.items()}\n"
    kept = {k: v for k, v in os.environ.items() if not k.startswith("CIFAR100")}
    return run("-c", program + call, cwd=ROOT, env=kept)


def test_without_network_a_notebook_shows_two_lines(tmp_path):
    """That it tries, and what to do: each line is a red block there."""
    status, said = without_network(tmp_path, "print(data.load_data().name)")
    first, second, name = said.splitlines()
    assert status == 0 and name == "stand-in data"
    assert first.startswith("Bringing CIFAR-100")
    assert "put it into" in second and second.endswith("stand-in takes its place.")


def test_command_says_why_each_attempt_failed(tmp_path):
    status, said = without_network(tmp_path, "data.main(download=True)")
    assert status != 0 and said.count("127.0.0.1:1: ") == 6, said


def test_servers_of_the_tests_are_asked_without_the_users_proxy(
    server, archive, loads, monkeypatch
):
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    server.mirror(whole(archive))
    assert loads() == []


def test_data_is_brought_through_the_one_setting(monkeypatch, capsys):
    """What `make data` and the images for grading call follows `load_data`."""
    images, labels = np.zeros((6, 8, 8, 1), np.uint8), np.zeros((6, 1), np.uint8)
    other = Dataset((images, labels), (images[:2], labels[:2]), ["one"], "digits")
    asked = []
    monkeypatch.setattr(
        data, "load_data", lambda download: asked.append(download) or other
    )
    data.main(download=True)
    assert asked == [True]
    assert capsys.readouterr().out == "digits: 6 training images, 2 test images\n"


def test_each_part_can_say_what_its_data_is(no_data, monkeypatch):
    monkeypatch.setenv("CIFAR100_STAND_IN", "500")
    images, labels = np.zeros((6, 8, 8, 1), np.uint8), np.zeros((6, 1), np.uint8)
    own = Dataset((images, labels), (images, labels), ["one"], "digits")
    assert data_note(own) == "digits"
    said = data_note(load_cifar100())
    assert said.startswith("These are drawn images, not CIFAR-100: ")
    assert "do not hold here" in said


def test_damaged_cache_is_said_and_mended(kept, files, server, archive, loads, caplog):
    server.mirror(whole(archive))
    for name in files:
        right = files[name]
        for content in (right[::-1], right[:-1], b""):
            (kept / name).write_bytes(content)
            (line,) = loads()
            assert line.startswith(f"{kept / name}: it is damaged")
            assert (kept / name).read_bytes() == right
    for name in (*files, ARCHIVE):
        ((kept if name in files else kept.parent) / name).write_bytes(b"damaged")
    caplog.clear()
    with pytest.raises(NoDataError):
        load_cifar100(download=False)
    assert str(kept / "train.bin") in caplog.text
    loads()


@posix
def test_kill_at_any_moment(server, archive, small, tmp_path, loads):
    """While it is downloaded, and while a named archive is unpacked; with its lock."""
    packed = tmp_path / "packed.tar.gz"
    packed.write_bytes(archive)
    rng = np.random.default_rng(3)
    server.mirror(whole(archive, pauses=5))
    for source, seconds in ((None, 0.6), (packed, 0.25)):
        killed = 0
        while killed < 8:
            shutil.rmtree(small, ignore_errors=True)
            child = loopback.start(load_cifar100, source)
            child.join(rng.uniform(0, seconds))
            child.kill()
            child.join()
            killed += child.exitcode != 0
            loads(source)
            left = {path.name for path in small.rglob("*") if path.is_file()}
            assert left <= {*FILES, ARCHIVE, "lock"}


@posix
def test_eight_processes_download_once(server, archive):
    server.mirror(whole(archive, pauses=10))
    children = [loopback.start(load_cifar100) for _ in range(8)]
    for child in children:
        child.join(60)
    assert [child.exitcode for child in children] == [0] * 8
    assert len(server.requests) == 1


def error_of_a_process(*arguments):
    message = loopback.context().Array("c", 1000)
    loopback.start(loopback.keep_error, message, *arguments).join(60)
    return message.value.decode()


@posix
def test_full_disk_while_the_data_arrives(server, archive, loads, small):
    server.mirror(whole(archive))
    for _ in range(2):  # while the archive arrives, and while it is unpacked
        said = error_of_a_process(3_000_000)
        assert said.startswith("DataError: CIFAR-100 could not be kept in"), said
        assert "File too large" in said and "0.4 GB of free space" in said
        (small / ARCHIVE).write_bytes(archive)
    assert all("damaged" in line for line in loads())


@posix
def test_read_only_cache(small, files, server, archive, monkeypatch):
    """With the data in it all is well, without it is one sentence."""
    server.mirror(whole(archive))
    with tempfile.TemporaryDirectory() as folder:  # for others than its owner
        Path(folder).chmod(0o755)
        monkeypatch.setattr(data, "CACHE", Path(folder))
        if os.getuid():
            Path(folder).chmod(0o555)
        said = error_of_a_process()
        assert said.startswith("DataError: CIFAR-100 could not be kept in")
        assert "Permission denied" in said and "set CIFAR100_DIR" in said
        Path(folder).chmod(0o755)
        put(Path(folder) / "cifar-100-binary", files)
        Path(folder).chmod(0o555)
        assert error_of_a_process() == "loaded"
        Path(folder).chmod(0o755)


def test_cache_that_is_a_file_is_one_sentence(small, server, archive):
    server.mirror(whole(archive))
    small.write_text("in the way")
    with pytest.raises(DataError, match="could not be kept in"):
        load_cifar100()
    with pytest.raises(NoDataError):
        load_cifar100(download=False)


def test_memory_is_at_most_1_3_times_the_arrays(small, monkeypatch):
    files = {name: bytes(FILES[name][0] * RECORD_BYTES) for name in FILES}
    put(small / "cifar-100-binary", files)
    monkeypatch.setattr(data, "FILES", known(files))
    tracemalloc.start()
    cifar = load_cifar100()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    arrays = [array for part in (cifar.train, cifar.test) for array in part]
    assert peak <= 1.3 * sum(array.nbytes for array in arrays)


def test_command_and_import(tmp_path):
    heavy = "{'pooch', 'requests', 'filelock', 'tensorflow'}"
    program = f"import sys, helpers.data; print({heavy} & set(sys.modules))"
    assert run("-c", program) == (0, "set()\n")
    environment = os.environ | {"CIFAR100_DIR": tmp_path}
    status, said = run("-m", "helpers.data", "--download", env=environment)
    assert status == 1 and said.count("\n") == 1
    assert said.startswith(f"{tmp_path} is neither a folder with train.bin")


def test_real_data_is_what_is_published(real_data):
    if data.load_data is not load_cifar100:
        pytest.skip("another data set is taught")
    means = real_data.train[0].mean(axis=(0, 1, 2)) / 255
    assert means == pytest.approx([0.50708, 0.48655, 0.44092], abs=1e-5)
    assert real_data.train[1][:5, 0].tolist() == [19, 29, 0, 11, 1]
    assert real_data.class_names[19] == "cattle"
    rows = np.fromfile(data_folder(download=False) / "test.bin", np.uint8)
    rows = rows.reshape(FILES["test.bin"][0], RECORD_BYTES)
    assert (real_data.superclass_of[rows[:, 1]] == rows[:, 0]).all()

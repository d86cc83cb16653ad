"""The cache: whatever happens to it, the next load is right, or says what is wrong."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
import tracemalloc
from pathlib import Path

import faulty
import numpy as np
import pytest
from faulty import OFFICIAL, process, slow, status, whole

from helpers import DataError, NoDataError, load_cifar100
from helpers.data import FILES, cache
from helpers.data import __main__ as command
from helpers.data.archives import PICKLES
from helpers.data.records import RECORD_BYTES

posix = pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX processes")


@pytest.fixture
def mirror(server, monkeypatch):
    """Let the one mirror give these answers."""

    def serve(*answers):
        monkeypatch.setattr(cache, "MIRRORS", [[server.serve(OFFICIAL, *answers)]])

    return serve


@pytest.fixture
def kept(small, forms):
    """The folder of a cache that holds the data."""
    folder = small / "cifar-100-binary"
    folder.mkdir(parents=True)
    for name in faulty.SMALL:
        (folder / name).write_bytes(forms[name])
    return folder


def put(folder, form, content):
    """Write a form of the data as others leave it in a folder."""
    names = {
        "binary": OFFICIAL,
        "python": "cifar-100-python.tar.gz",
        "pickles": {
            "train.bin": "cifar-100-python/train",
            "test.bin": "cifar-100-python/test",
        },
        "parquet": {
            "train.bin": "train-00000-of-00001.parquet",
            "test.bin": "test-00000-of-00001.parquet",
        },
    }[form]
    if isinstance(content, bytes):
        names, content = {"": names}, {"": content}
    for key, name in names.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content[key])
    return path


# Where the data is found


def test_files_put_into_the_cache_are_used(kept):
    assert load_cifar100(download=False).name == "CIFAR-100"
    assert cache.source_of(kept) == "put there by hand"


@pytest.mark.parametrize("form", ["binary", "python", "pickles", "parquet"])
def test_archive_put_into_the_cache_is_used(small, forms, form):
    put(small, form, forms[form])
    assert load_cifar100(download=False).name == "CIFAR-100"


@pytest.mark.parametrize(
    "name",
    [
        "cifar-100-python-target_archive",
        "cifar-100-python.tar.gz",
        "cifar-100-python-target/cifar-100-python",
        "cifar-100-python",
    ],
)
def test_what_keras_has_downloaded_is_used(small, forms, tmp_path, name):
    path = tmp_path / "keras" / "datasets" / name
    path.parent.mkdir(parents=True)
    if path.name == "cifar-100-python":
        put(path.parent, "pickles", forms["pickles"])
    else:
        path.write_bytes(forms["python"])
    assert load_cifar100(download=False).name == "CIFAR-100"
    assert str(path) in cache.source_of(small / "cifar-100-binary")


def test_half_of_a_download_of_keras_is_passed_over(
    small, forms, tmp_path, mirror, caplog
):
    datasets = tmp_path / "keras" / "datasets"
    put(datasets, "python", forms["python"][:100_000])
    mirror(whole(forms["binary"]))
    load_cifar100()
    (record,) = caplog.records
    assert str(datasets) in record.getMessage()


@pytest.mark.parametrize("form", ["binary", "python", "pickles", "parquet"])
@pytest.mark.parametrize("by", ["argument", "variable"])
def test_named_archive_is_unpacked_once(small, forms, tmp_path, monkeypatch, form, by):
    path = put(tmp_path / "named", form, forms[form])
    source = path if form in ("binary", "python") else path.parent
    if by == "variable":
        monkeypatch.setenv("CIFAR100_DIR", str(source))
        source = None
    assert load_cifar100(source).name == "CIFAR-100"
    with monkeypatch.context() as patch:
        patch.setattr(cache, "unpack", lambda *_: pytest.fail("unpacked again"))
        assert load_cifar100(source).name == "CIFAR-100"
    os.utime(path, (0, 0))
    path.write_bytes(b"changed")
    with pytest.raises(DataError, match="download it again"):
        load_cifar100(source)


def test_named_archive_is_not_replaced_by_the_cache(kept, tmp_path):
    (tmp_path / "broken.tar.gz").write_bytes(b"\x1f\x8bbroken")
    with pytest.raises(DataError, match=r"broken\.tar\.gz cannot be read as CIFAR-100"):
        load_cifar100(tmp_path / "broken.tar.gz")
    assert load_cifar100(download=False).name == "CIFAR-100"


def test_home_is_known_in_the_variable(small, forms, tmp_path, monkeypatch):
    put(tmp_path, "binary", forms["binary"])
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.setenv("CIFAR100_DIR", f"~/{OFFICIAL}")
    assert load_cifar100().name == "CIFAR-100"


def test_folder_of_the_unpacked_archive_is_found(kept):
    assert cache.data_folder(kept.parent, download=False) == kept


# What happens to it


@pytest.mark.parametrize("name", faulty.SMALL)
def test_flipped_byte_is_found_said_and_mended(kept, forms, mirror, caplog, name):
    content = bytearray(forms[name])
    content[len(content) // 3] ^= 1
    (kept / name).write_bytes(content)
    mirror(whole(forms["binary"]))
    cifar = load_cifar100()
    assert cifar.name == "CIFAR-100"
    (record,) = caplog.records
    assert str(kept / name) in record.getMessage()
    assert "Getting it again" in record.getMessage()
    assert (kept / name).read_bytes() == forms[name]


def test_damaged_cache_without_a_network_is_never_read(kept, forms, mirror):
    (kept / "train.bin").write_bytes(forms["train.bin"][:-1])
    mirror(status(404))
    with pytest.raises(NoDataError):
        load_cifar100()


def test_damaged_cache_is_said_where_nothing_may_be_downloaded(kept, forms, caplog):
    (kept / "train.bin").write_bytes(forms["train.bin"][:-1])
    with pytest.raises(NoDataError):
        load_cifar100(download=False)
    (record,) = caplog.records
    assert str(kept / "train.bin") in record.getMessage()


def test_leftovers_of_a_kill_at_the_very_end_are_removed(kept):
    partial = kept.parent / "partial"
    partial.mkdir()
    (partial / "archive").touch()
    with cache._lock():  # somebody is at work there
        load_cifar100()
        assert (partial / "archive").exists()
    load_cifar100()
    assert not partial.exists()


def test_lost_file_is_fetched(kept, forms, mirror):
    (kept / "test.bin").unlink()
    mirror(whole(forms["binary"]))
    assert load_cifar100().name == "CIFAR-100"


def kill_at_random_moments(source, seed):
    """Kill a process that fills the cache, twenty times; after each, load again."""

    def start():
        child = process(faulty.load, source)
        child.start()
        return child

    start().join()  # the first one waits for the imports
    shutil.rmtree(cache.cache_folder())
    begun = time.perf_counter()
    child = start()
    child.join()
    seconds = time.perf_counter() - begun
    assert child.exitcode == 0
    rng = np.random.default_rng(seed)
    killed = tried = 0
    while killed < 20:
        tried += 1
        assert tried <= 200, "hardly a process is still at it when it is killed"
        shutil.rmtree(cache.cache_folder(), ignore_errors=True)
        child = start()
        child.join(rng.uniform(0, seconds))
        child.kill()
        child.join()
        killed += child.exitcode != 0
        assert load_cifar100(source).name == "CIFAR-100"
        assert not (cache.cache_folder() / "partial").exists()


@posix
def test_kill_while_downloading(server, mirror, forms):
    mirror(slow(forms["binary"], 0.3))
    kill_at_random_moments(None, seed=1)


@posix
@pytest.mark.parametrize("form", ["binary", "python"])
def test_kill_while_caching(small, forms, tmp_path, form):
    kill_at_random_moments(put(tmp_path, form, forms[form]), seed=2)


@posix
def test_eight_processes_download_once(server, mirror, forms):
    mirror(slow(forms["binary"], 1))
    children = [process(faulty.load) for _ in range(8)]
    for child in children:
        child.start()
    for child in children:
        child.join(60)
    assert [child.exitcode for child in children] == [0] * 8
    assert len(server.requests) == 1


@posix
def test_lock_of_a_dead_process_does_not_block(small, forms, mirror):
    mirror(whole(forms["binary"]))
    small.mkdir()
    held = faulty.context().Event()
    child = process(faulty.hold_lock, held)
    child.start()
    assert held.wait(30)
    child.kill()
    child.join()
    assert (small / "lock").exists()
    assert load_cifar100().name == "CIFAR-100"


@posix
def test_waiting_for_another_process_is_said(small, forms, mirror, caplog):
    mirror(whole(forms["binary"]))
    small.mkdir()
    held = faulty.context().Event()
    child = process(faulty.hold_lock, held, 2)
    child.start()
    assert held.wait(30)
    assert load_cifar100().name == "CIFAR-100"
    child.join()
    (record,) = caplog.records
    assert "Waiting for another program" in record.getMessage()


@posix
@pytest.mark.parametrize("form", [None, "binary", "python"])
def test_no_space_is_one_sentence_and_leaves_nothing(
    server, mirror, forms, tmp_path, form
):
    """The limit hits the download, or what is unpacked of an archive at hand."""
    mirror(whole(forms["binary"]))
    source = form and put(tmp_path, form, forms[form])
    message = faulty.context().Array("c", 1000)
    child = process(faulty.load_with_file_limit, 3_000_000, message, source)
    child.start()
    child.join(60)
    said = message.value.decode()
    assert said.startswith("DataError: CIFAR-100 could not be kept in")
    assert "File too large" in said and "make that folder writable" in said
    left = [path.name for path in cache.cache_folder().rglob("*") if path.is_file()]
    assert left == ["lock"]
    assert load_cifar100(source).name == "CIFAR-100"


@pytest.fixture
def read_only(small, forms, monkeypatch):
    """A cache that may be read but not written, by anybody but root."""
    folder = Path(tempfile.mkdtemp())
    monkeypatch.setattr(cache, "user_cache_path", lambda _: folder)
    yield folder
    shutil.rmtree(folder)


def load_as_nobody():
    message = faulty.context().Array("c", 1000)
    child = process(faulty.load_as_nobody, message)
    child.start()
    child.join(60)
    return message.value.decode()


@posix
def test_read_only_cache_without_data_is_one_sentence(read_only, mirror, forms):
    mirror(whole(forms["binary"]))
    read_only.chmod(0o555)
    said = load_as_nobody()
    assert said.startswith("DataError: CIFAR-100 could not be kept in")
    assert "Permission denied" in said and "set CIFAR100_DIR" in said


@posix
def test_read_only_cache_with_data_just_works(read_only, forms):
    folder = read_only / "cifar-100-binary"
    folder.mkdir()
    for name in faulty.SMALL:
        (folder / name).write_bytes(forms[name])
    folder.chmod(0o555)
    read_only.chmod(0o555)
    assert load_as_nobody() == "loaded"


def test_cache_that_is_a_file_is_one_sentence(small, forms, mirror):
    mirror(whole(forms["binary"]))
    small.write_text("in the way")
    with pytest.raises(DataError, match=r"could not be kept in .*(File exists|183)"):
        load_cifar100()


# What it costs


@pytest.fixture
def full_size(small, monkeypatch):
    """A cache of as many records as CIFAR-100 has, all of them black apples."""
    folder = small / "cifar-100-binary"
    folder.mkdir(parents=True)
    for name, records in (("train.bin", 50_000), ("test.bin", 10_000)):
        content = bytes(records * RECORD_BYTES)
        (folder / name).write_bytes(content)
        monkeypatch.setitem(FILES, name, (records, faulty.sha256(content)))
    return folder


@pytest.mark.parametrize("form", ["binary", "pickles"])
def test_memory_is_at_most_1_3_times_the_arrays(full_size, tmp_path, monkeypatch, form):
    source = full_size
    if form == "pickles":
        source = tmp_path / "named"
        source.mkdir()
        for name in FILES:
            content = faulty.python2_pickle((full_size / name).read_bytes())
            (source / name.removesuffix(".bin")).write_bytes(content)
            monkeypatch.setitem(PICKLES, name, faulty.sha256(content))
        del content
    tracemalloc.start()
    cifar = load_cifar100(source)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    arrays = [array for part in (cifar.train, cifar.test) for array in part]
    assert peak <= 1.3 * sum(array.nbytes for array in arrays)


# The command


@pytest.fixture
def run(monkeypatch, capsys):
    """Run `python -m helpers.data` with options; return what it prints."""

    def main(*options):
        monkeypatch.setattr(sys, "argv", ["helpers.data", *options])
        command.main()
        return capsys.readouterr().out

    return main


def test_command_downloads_reports_verifies_and_clears(small, forms, mirror, run):
    with pytest.raises(SystemExit, match="not on this machine"):
        run()
    mirror(whole(forms["binary"]))
    printed = run("--download")
    assert OFFICIAL in printed and str(small / "cifar-100-binary") in printed
    assert run() == printed
    assert f"{len(forms['train.bin']):,} bytes" in printed
    assert faulty.sha256(forms["test.bin"]) in printed
    assert run("--verify").count("verified") == 2
    assert "Removed 5.5 MB" in run("--clear")
    assert "Removed 0.0 MB" in run("--clear")
    with pytest.raises(SystemExit, match="not on this machine"):
        run("--verify")


def test_command_finds_and_mends_a_damaged_cache(kept, forms, mirror, run):
    (kept / "test.bin").write_bytes(bytes(len(forms["test.bin"])))
    with pytest.raises(SystemExit, match="content is not the official one"):
        run("--verify")
    mirror(whole(forms["binary"]))
    run("--download")
    assert run("--verify").count("verified") == 2


def test_command_leaves_what_was_put_into_the_cache_by_hand(small, forms, run):
    path = put(small, "binary", forms["binary"])
    run("--download")
    run("--clear")
    assert path.exists() and not (small / "cifar-100-binary").exists()


def test_command_leaves_files_put_into_the_cache_by_hand(kept, run):
    assert "Removed 0.0 MB" in run("--clear")
    assert run("--verify").count("verified") == 2


def test_command_mends_no_folder_that_is_named(kept, tmp_path, monkeypatch, run):
    (tmp_path / "test.bin").touch()
    monkeypatch.setenv("CIFAR100_DIR", str(tmp_path))
    with pytest.raises(SystemExit, match=r"train\.bin was not found in"):
        run("--download")


def test_command_can_be_run(tmp_path):
    result = subprocess.run(
        [sys.executable, "-m", "helpers.data"],
        env={**os.environ, "CIFAR100_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 1 and result.stdout == ""
    assert result.stderr.startswith(f"{tmp_path} holds no CIFAR-100: ")
    assert result.stderr.count("\n") == 1

"""Bad networks, on loopback: every test loads the data through a server."""

import signal
import socket
import sys
import threading

import pytest
from faulty import (
    OFFICIAL,
    cut,
    header,
    redirect,
    rows_of,
    slow,
    status,
    tar,
    trickle,
    whole,
    wrong_part,
)

from helpers import NoDataError, load_cifar100
from helpers.data import cache, download


@pytest.fixture
def mirrors(monkeypatch):
    """Set the addresses of each mirror."""

    def replace(*mirrors):
        monkeypatch.setattr(cache, "MIRRORS", [list(urls) for urls in mirrors])

    return replace


@pytest.fixture
def loads(forms, caplog):
    """Load, compare all bytes with the original, return the lines that were said."""

    def load():
        caplog.clear()
        cifar = load_cifar100()
        for (images, labels), name in (
            (cifar.train, "train.bin"),
            (cifar.test, "test.bin"),
        ):
            rows = rows_of(forms[name])
            assert (labels[:, 0] == rows[:, 1]).all()
            planes = rows[:, 2:].reshape(-1, 3, 32, 32)
            assert (images.transpose(0, 3, 1, 2) == planes).all()
        return [record.getMessage() for record in caplog.records]

    return load


def test_download_once_then_from_the_cache(server, mirrors, loads, forms, small):
    mirrors([server.serve(OFFICIAL, whole(forms["binary"]))])
    assert loads() == [] and loads() == []
    assert server.requests == [(f"/{OFFICIAL}", None)]
    kept = {path.name for path in small.rglob("*") if path.is_file()}
    assert kept == {"train.bin", "test.bin", "source.txt", "lock"}


def test_python_version_as_a_mirror(server, mirrors, loads, forms):
    mirrors([server.serve("cifar-100-python.tar.gz", whole(forms["python"]))])
    assert loads() == []


@pytest.mark.parametrize("code", [403, 404, 410])
def test_missing_file_leads_to_the_next_mirror(server, mirrors, loads, forms, code):
    gone = server.serve("gone", status(code))
    mirrors([gone], [server.serve(OFFICIAL, whole(forms["binary"]))])
    (line,) = loads()
    assert f"the server answered {code}" in line
    assert len(server.requests) == 2


@pytest.mark.parametrize("code", [408, 429, 500, 503])
def test_server_error_is_tried_again(server, mirrors, loads, forms, code):
    answers = [status(code), status(code), whole(forms["binary"])]
    mirrors([server.serve(OFFICIAL, *answers)])
    lines = loads()
    assert len(lines) == 2
    assert all(f"answered {code}" in line and "trying again" in line for line in lines)


def test_server_error_for_ever_leads_to_the_next_mirror(server, mirrors, loads, forms):
    mirrors(
        [server.serve("broken", status(500))],
        [server.serve(OFFICIAL, whole(forms["binary"]))],
    )
    assert len(loads()) == download.ATTEMPTS


@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
def test_cut_connection_goes_on_where_it_was(server, mirrors, loads, forms, share):
    content = forms["binary"]
    mirrors([server.serve(OFFICIAL, cut(content, share), whole(content))])
    (line,) = loads()
    assert "the connection broke after" in line
    (_, first), (_, second) = server.requests
    assert first is None
    start = int(second.removeprefix("bytes=").removesuffix("-"))
    assert share * len(content) - 2**16 <= start <= share * len(content)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
def test_cut_connection_without_ranges(server, mirrors, loads, forms, share):
    server.ranges = False
    content = forms["binary"]
    mirrors([server.serve(OFFICIAL, cut(content, share), whole(content))])
    assert len(loads()) == 1


def test_connection_that_is_always_cut(server, mirrors, loads, forms):
    content = forms["binary"]
    mirrors(
        [server.serve("cut", cut(content, 0.5))],
        [server.serve(OFFICIAL, whole(content))],
    )
    assert len(loads()) == download.ATTEMPTS


def test_download_that_broke_off_goes_on_in_the_next_call(
    server, mirrors, loads, forms
):
    content = forms["binary"]
    url = server.serve(OFFICIAL, cut(content, 0.5), status(404), whole(content))
    mirrors([url])
    with pytest.raises(NoDataError):
        load_cifar100()
    assert loads() == []
    assert server.requests[-1][1].startswith("bytes=")


def test_rest_of_another_file_is_not_used(server, mirrors, loads, forms):
    """What an earlier call left behind does not fit: the download starts afresh."""
    content = forms["binary"]
    other = bytes(len(content))
    url = server.serve(OFFICIAL, cut(other, 0.5), status(404), whole(content))
    mirrors([url])
    with pytest.raises(NoDataError):
        load_cifar100()
    (line,) = loads()
    assert "Starting afresh" in line
    assert [wanted is None for _, wanted in server.requests[-2:]] == [False, True]


def test_whole_file_is_not_asked_for_beyond_its_end(
    server, mirrors, loads, forms, small
):
    """A kill after the last byte, before the file got its name."""
    url = server.serve(OFFICIAL, whole(forms["binary"]))
    mirrors([url])
    part = download._part(small / "partial" / download._file_name(url))
    part.parent.mkdir(parents=True)
    part.write_bytes(forms["binary"])
    (line,) = loads()
    assert "answered 416" in line


def test_server_that_sends_another_part_is_asked_for_all(server, mirrors, loads, forms):
    content = forms["binary"]
    mirrors([server.serve(OFFICIAL, cut(content, 0.5), wrong_part(content))])
    _, line = loads()
    assert "the server sent another part" in line
    assert server.requests[-1][1] is None


def test_pauses_grow(server, mirrors, loads, forms, monkeypatch):
    pauses = []
    monkeypatch.setattr(download.time, "sleep", pauses.append)
    answers = [status(500), status(500), whole(forms["binary"])]
    mirrors([server.serve(OFFICIAL, *answers)])
    loads()
    # The server, in the same process, does not pause at all.
    assert list(filter(None, pauses)) == [download.PAUSE, 2 * download.PAUSE]


@pytest.mark.parametrize(
    "answer",
    [
        header("Content-Length", "many"),
        header("Location", "http://[::"),
        redirect("http://[::"),
        redirect("http://" + 70 * "x" + "/"),
        redirect("file:///etc/passwd"),
    ],
)
def test_nonsense_in_the_headers_leads_to_the_next_mirror(
    server, mirrors, loads, forms, answer
):
    nonsense = server.serve("nonsense", answer)
    mirrors([nonsense], [server.serve(OFFICIAL, whole(forms["binary"]))])
    (line,) = loads()
    assert line.startswith("127.0.0.1")


def test_missing_certificates_lead_to_the_next_mirror(
    server, mirrors, loads, forms, monkeypatch, tmp_path
):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "none.pem"))
    secure = server.url("secure").replace("http:", "https:")
    mirrors([secure], [server.serve(OFFICIAL, whole(forms["binary"]))])
    (line,) = loads()
    assert "none.pem" in line


def test_server_that_cannot_prove_who_it_is(server, mirrors, loads, forms):
    """It speaks no TLS at all."""
    secure = server.url("secure").replace("http:", "https:")
    mirrors([secure], [server.serve(OFFICIAL, whole(forms["binary"]))])
    (line,) = loads()
    assert "could not prove who it is" in line


def test_endless_file_ends(server, mirrors, loads, forms, monkeypatch, small):
    monkeypatch.setattr(download, "MOST_BYTES", 8_000_000)
    endless = server.serve("endless", whole(bytes(20_000_000)))
    mirrors([endless], [server.serve(OFFICIAL, whole(forms["binary"]))])
    (line,) = loads()
    assert "far more than the data" in line


def test_parquet_mirror_of_two_files_of_one_name(server, mirrors, loads, forms):
    urls = [
        server.serve(f"{folder}/0000.parquet?download=true", whole(content))
        for folder, content in forms["parquet"].items()
    ]
    mirrors(urls)
    assert loads() == []


def test_wrong_content_of_the_right_length(server, mirrors, loads, forms):
    content = forms["binary"]
    wrong = bytearray(content)
    wrong[len(wrong) // 2] ^= 1
    url = server.serve("wrong", whole(bytes(wrong)))
    mirrors([url], [server.serve(OFFICIAL, whole(content))])
    (line,) = loads()
    assert "127.0.0.1" in line and "download it again" in line


def test_other_records_of_the_right_length(server, mirrors, forms):
    wrong = {name: bytes(len(forms[name])) for name in ("train.bin", "test.bin")}
    archive = tar([(f"cifar-100-binary/{name}", c) for name, c in wrong.items()])
    mirrors([server.serve(OFFICIAL, whole(archive))])
    with pytest.raises(NoDataError):
        load_cifar100()


def test_right_content_under_a_wrong_name(server, mirrors, loads, forms):
    """Files are known by content: train and test the wrong way round, an odd name."""
    train, test = forms["parquet"].values()
    mirrors(
        [server.serve("test.zip", whole(train)), server.serve("train", whole(test))]
    )
    assert loads() == []


def test_right_content_under_a_wrong_member_name(server, mirrors, loads, forms):
    names = {"train.bin": "cifar-100-binary/test.bin", "test.bin": "other/train.bin"}
    archive = tar([(names[name], forms[name]) for name in names])
    url = server.serve("odd", whole(archive))
    mirrors([url], [server.serve(OFFICIAL, whole(forms["binary"]))])
    (line,) = loads()
    assert "test.bin" in line and "were expected" in line


@pytest.mark.parametrize(
    "beginning",
    [b"", b"HTTP/1.0 200 OK\r\nX-Slow: ", b"HTTP/1.0 200 OK\r\n\r\n"],
    ids=["status", "headers", "content"],
)
def test_endless_trickle_ends(server, mirrors, loads, forms, monkeypatch, beginning):
    monkeypatch.setattr(download, "TIME_LIMIT", 1.2)
    mirrors(
        [server.serve("trickle", trickle(beginning))],
        [server.serve(OFFICIAL, whole(forms["binary"]))],
    )
    (line,) = loads()
    assert "not complete after 0.02 minutes" in line


def test_silence_ends(server, mirrors, loads, forms, monkeypatch):
    monkeypatch.setattr(download, "TIMEOUT", 0.5)
    silent = server.serve("silent", lambda handler: handler.server.stopped.wait(20))
    mirrors([silent], [server.serve(OFFICIAL, whole(forms["binary"]))])
    assert len(loads()) == download.ATTEMPTS


def test_redirect_is_followed(server, mirrors, loads, forms):
    url = server.serve("elsewhere", whole(forms["binary"]))
    mirrors([server.serve(OFFICIAL, redirect(url))])
    assert loads() == []


def test_redirect_in_a_circle_ends(server, mirrors, loads, forms):
    circle = server.serve("circle", redirect(server.url("circle")))
    mirrors([circle], [server.serve(OFFICIAL, whole(forms["binary"]))])
    (line,) = loads()
    assert "redirects" in line


def test_no_network_is_one_sentence_with_what_to_do(server, mirrors, small, caplog):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    mirrors([f"http://127.0.0.1:{port}/{OFFICIAL}"])
    with pytest.raises(NoDataError) as caught:
        load_cifar100()
    sentence = str(caught.value)
    assert "https://www.cs.toronto.edu/~kriz/cifar-100-binary.tar.gz" in sentence
    assert str(small) in sentence and "CIFAR100_DIR" in sentence
    assert len(caplog.records) == download.ATTEMPTS


def test_proxy_of_the_environment_is_used(server, mirrors, loads, forms, monkeypatch):
    monkeypatch.setenv("http_proxy", server.url(""))
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    url = f"http://mirror.invalid/{OFFICIAL}"
    server.answers[url] = [whole(forms["binary"])]
    mirrors([url])
    assert loads() == []


def test_progress_is_shown_in_a_notebook(server, mirrors, loads, forms, capsys):
    """Standard error is no terminal here, as it is none in a notebook."""
    mirrors([server.serve(OFFICIAL, slow(forms["binary"], 0.5))])
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "ipykernel", None)
        loads()
    shown = capsys.readouterr().err
    assert "127.0.0.1" in shown and "%|" in shown
    assert shown.endswith("\r"), "the bar is wiped at the end"


def test_download_can_be_forbidden(server, mirrors, forms):
    mirrors([server.serve(OFFICIAL, whole(forms["binary"]))])
    with pytest.raises(NoDataError):
        load_cifar100(download=False)
    assert server.requests == []


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_interrupted_download_goes_on(server, mirrors, loads, forms):
    content = forms["binary"]
    mirrors([server.serve(OFFICIAL, slow(content, 2), whole(content))])
    main = threading.main_thread().ident
    timer = threading.Timer(0.7, signal.pthread_kill, (main, signal.SIGINT))
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        timer.start()
        with pytest.raises(KeyboardInterrupt):
            load_cifar100()
    finally:
        timer.cancel()
        signal.signal(signal.SIGINT, before)
    assert loads() == []
    assert server.requests[-1][1].startswith("bytes=")

"""Small data in every form, a server that misbehaves, processes to be killed."""

import functools
import gzip
import hashlib
import io
import multiprocessing
import os
import pickle
import tarfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

try:
    import resource
except ImportError:  # Windows
    resource = None

import numpy as np
import pyarrow
from PIL import Image
from pyarrow import parquet

from helpers.data import archives, cache, download, load_cifar100
from helpers.data.records import FILES, RECORD_BYTES

SMALL = {"train.bin": 1500, "test.bin": 300}
OFFICIAL = "cifar-100-binary.tar.gz"


def small_records():
    """Return the content of small train.bin and test.bin, random but valid."""
    rng = np.random.default_rng(1)
    contents = {}
    for name, records in SMALL.items():
        rows = rng.integers(0, 256, (records, RECORD_BYTES), np.uint8)
        rows[:, 0], rows[:, 1] = rows[:, 0] % 20, rows[:, 1] % 100
        contents[name] = rows.tobytes()
    return contents


def rows_of(content):
    return np.frombuffer(content, np.uint8).reshape(-1, RECORD_BYTES)


def tar(members, packed=True):
    """Return a tar archive of pairs: a name or TarInfo, and its content."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for member, content in members:
            if isinstance(member, str):
                member = tarfile.TarInfo(member)
                member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return gzip.compress(buffer.getvalue(), 1) if packed else buffer.getvalue()


class Python2Pickler(pickle._Pickler):
    """Writes bytes and array internals under the names that Python 2 gave them."""

    dispatch = dict(pickle._Pickler.dispatch)  # noqa: RUF012

    def save_bytes(self, content):
        self.write(pickle.BINSTRING + len(content).to_bytes(4, "little") + content)
        self.memoize(content)

    dispatch[bytes] = save_bytes


def python2_pickle(content):
    """Return records as a pickle of CIFAR-100's Python version."""
    rows = rows_of(content)
    batch = {
        b"filenames": [b"some_image_s_%06d.png" % n for n in range(len(rows))],
        b"batch_label": b"training batch 1 of 1",
        b"fine_labels": rows[:, 1].tolist(),
        b"coarse_labels": rows[:, 0].tolist(),
        b"data": rows[:, 2:].copy(),
    }
    buffer = io.BytesIO()
    Python2Pickler(buffer, 2).dump(batch)
    return buffer.getvalue().replace(b"numpy._core.multi", b"numpy.core.multi")


def parquet_of(content):
    """Return records as a Parquet file of PNG images."""
    rows = rows_of(content)
    images = []
    for row in rows:
        buffer = io.BytesIO()
        pixels = row[2:].reshape(3, 32, 32).transpose(1, 2, 0)
        Image.fromarray(pixels).save(buffer, "PNG", compress_level=1)
        images.append({"bytes": buffer.getvalue(), "path": None})
    table = pyarrow.table(
        {
            "img": images,
            "fine_label": rows[:, 1].astype(np.int64),
            "coarse_label": rows[:, 0].astype(np.int64),
        }
    )
    buffer = io.BytesIO()
    parquet.write_table(table, buffer)
    return buffer.getvalue()


def sha256(content):
    return hashlib.sha256(content).hexdigest()


# Answers of the server: what one request to a path gets.


def whole(content):
    return lambda handler: handler.send_content(content)


def cut(content, share):
    """The length of everything, and then only a share of it."""
    return lambda handler: handler.send_content(content, int(share * len(content)))


def slow(content, seconds):
    return lambda handler: handler.send_content(content, seconds=seconds)


def status(code):
    return lambda handler: handler.send_error(code)


def header(name, value):
    """An answer with one header, and nothing in it."""

    def answer(handler):
        handler.send_response(200)
        handler.send_header(name, value)
        handler.end_headers()

    return answer


def wrong_part(content):
    """Everything, whatever part was asked for, under the name of that part."""

    def answer(handler):
        handler.send_response(206)
        handler.send_header("Content-Range", f"bytes 0-{len(content) - 1}/*")
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content)

    return answer


def redirect(url):
    def answer(handler):
        handler.send_response(302)
        handler.send_header("Location", url)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    return answer


def trickle(beginning):
    """A beginning, then for a minute a byte every twentieth of a second."""

    def answer(handler):
        handler.wfile.write(beginning)
        for _ in range(1200):
            handler.wfile.write(b"x")
            handler.wfile.flush()
            if handler.server.stopped.wait(0.05):
                return

    return answer


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.requests.append((self.path, self.headers.get("Range")))
        assert self.headers.get("Accept-Encoding") == "identity"
        answers = self.server.answers.get(self.path, [status(404)])
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        try:
            answer(self)
        except (BrokenPipeError, ConnectionResetError):
            pass

    def send_content(self, content, stop=None, seconds=0):
        start = 0
        if self.server.ranges and (wanted := self.headers.get("Range")):
            start = int(wanted.removeprefix("bytes=").removesuffix("-"))
            if start >= len(content):
                return self.send_error(416)
            self.send_response(206)
            self.send_header(
                "Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}"
            )
        else:
            self.send_response(200)
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        for step in range(start, stop or len(content), 2**15):
            self.wfile.write(content[step : min(step + 2**15, stop or len(content))])
            time.sleep(seconds * 2**15 / len(content))

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    """A loopback server; `answers` has, for a path, its answers one after the other."""

    daemon_threads = True
    request_queue_size = 32

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers, self.requests, self.ranges = {}, [], True
        self.stopped = threading.Event()
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    def url(self, name):
        return f"http://127.0.0.1:{self.server_port}/{name}"

    def serve(self, name, *answers):
        """Let a name have these answers, and return its address."""
        self.answers[f"/{name}"] = list(answers)
        return self.url(name)

    def close(self):
        self.stopped.set()
        self.shutdown()
        self.server_close()


# Processes: quick copies of one that has imported what is needed.


@functools.cache
def context():
    forks = multiprocessing.get_context("forkserver")
    forks.set_forkserver_preload(["helpers.data", "pyarrow.parquet", "pytest"])
    return forks


def process(task, *arguments):
    """Return a process that runs `task` of this module on this module's small data."""
    state = (cache.cache_folder(), cache.MIRRORS, dict(FILES), dict(archives.PICKLES))
    return context().Process(target=_run, args=(state, task, *arguments), daemon=True)


def _run(state, task, *arguments):
    folder, mirrors, files, pickles = state
    cache.user_cache_path = lambda _: folder
    cache.MIRRORS = mirrors
    FILES.update(files)
    archives.PICKLES.update(pickles)
    download.PAUSE = 0.02
    task(*arguments)


def load(source=None):
    """Load the data; the exit status tells whether that went well."""
    if len(load_cifar100(source).train[0]) != SMALL["train.bin"]:
        raise SystemExit("not the data")


def hold_lock(held, seconds=60):
    with cache._lock():
        held.set()
        time.sleep(seconds)


def load_with_file_limit(size, message, source):
    """Load where no file may grow beyond `size` bytes."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
    keep_error(message, source)


def load_as_nobody(message):
    """Load as a user to whom permissions apply, as they do not to root."""
    if os.getuid() == 0:
        os.setgid(65534)
        os.setuid(65534)
    keep_error(message)


def keep_error(message, source=None):
    try:
        load(source)
        message.value = b"loaded"
    except Exception as error:
        message.value = f"{type(error).__name__}: {error}".encode()[:900]

"""Download CIFAR-100 from its official site or a mirror, on bad networks too."""

import hashlib
import logging
import os
import sys
import threading
import time
import warnings
from urllib.parse import urlsplit

import requests
from requests.exceptions import (
    ChunkedEncodingError,
    ConnectionError,
    ContentDecodingError,
    ProxyError,
    SSLError,
)
from tqdm import tqdm

from helpers.data.archives import unpack
from helpers.data.records import DataError

with warnings.catch_warnings():
    # In a notebook pooch asks for a kind of bar that needs one more package.
    warnings.simplefilter("ignore")
    from pooch import HTTPDownloader

# The sources, best first: the files that hold the data together, in any form that
# `helpers.data.archives.unpack` reads. The content is verified, so a mirror need not be
# trusted; to add one, add one entry.
MIRRORS = [
    ["https://www.cs.toronto.edu/~kriz/cifar-100-binary.tar.gz"],
    [
        "https://huggingface.co/datasets/uoft-cs/cifar100/resolve/main/cifar100/"
        f"{part}-00000-of-00001.parquet"
        for part in ("train", "test")
    ],
]
ATTEMPTS = 3  # without a new byte, before the next mirror is tried
PAUSE = 1.0  # seconds before the second attempt; then twice as long each time
TIMEOUT = 7, 20  # seconds for a connection, and without a byte on it
TIME_LIMIT = 15 * 60  # seconds for all files of one mirror
MOST_BYTES = 400_000_000  # of one file: all that are known have fewer than half

log = logging.getLogger(__name__)


def fetch(urls, folder):
    """Download the files of one mirror and unpack them.

    What has arrived stays in `folder` when an attempt or the whole process fails, and
    the next call goes on from there.

    Parameters
    ----------
    urls : list of str
        One entry of `MIRRORS`.
    folder : Path
        Where the downloads are kept, and train.bin and test.bin written.

    Raises
    ------
    DataError
        If a file could not be downloaded, or the files do not hold the published data.
    OSError
        If `folder` cannot be written.
    """
    host = urlsplit(urls[0]).netloc
    paths = [folder / _file_name(url) for url in urls]
    continued = any(path.exists() or _part(path).exists() for path in paths)
    deadline = time.monotonic() + TIME_LIMIT
    for url, path in zip(urls, paths, strict=True):
        if not path.exists():
            _download(url, _part(path), deadline)
            _part(path).rename(path)
    try:
        unpack(paths, folder)
    except DataError as error:
        for path in paths:
            path.unlink()
        if continued:  # what was left of an earlier call may have been at fault
            log.warning("%s: %s Starting afresh.", host, error)
            return fetch(urls, folder)
        raise DataError(f"{host}: {error}") from None


def _file_name(url):
    """Return a name that no other address has, and that reads well in messages."""
    name = urlsplit(url).path.split("/")[-1]
    return f"{hashlib.sha256(url.encode()).hexdigest()[:8]}-{name}"


def _part(path):
    return path.with_name(path.name + ".part")


def _download(url, path, deadline):
    """Download a file to `path`, going on after every failure that may pass."""
    host = urlsplit(url).netloc
    attempt = 0
    while True:
        before = path.stat().st_size if path.exists() else 0
        try:
            return _Attempt(url, path).run(deadline)
        except (requests.RequestException, TimeoutError) as error:
            arrived = path.stat().st_size
            # Attempts count only while they bring nothing.
            attempt = 1 if arrived > before else attempt + 1
            if isinstance(error, (ContentDecodingError, UnusableError)):
                os.truncate(path, 0)
            reason, passing = _explain(error, before, arrived)
        if not passing or attempt == ATTEMPTS:
            raise DataError(f"{host}: {reason}.")
        log.warning("%s: %s; trying again.", host, reason)
        time.sleep(min(PAUSE * 2 ** (attempt - 1), max(deadline - time.monotonic(), 0)))


def _explain(error, before, arrived):
    """Return why an attempt failed, and whether another may go better."""
    if isinstance(error, TimeoutError):
        return f"not complete after {TIME_LIMIT / 60:.3g} minutes", False
    if isinstance(error, requests.HTTPError):
        status = error.response.status_code
        reason = f"the server answered {status} {error.response.reason}"
        return reason, status >= 500 or status in (408, 416, 429)
    if isinstance(error, SSLError):
        return f"the server could not prove who it is ({error})", False
    if isinstance(error, ProxyError):
        return f"the proxy did not connect ({error})", False
    if isinstance(error, (ContentDecodingError, UnusableError)):
        return str(error), before > 0  # what was there before may be at fault
    if isinstance(error, (ConnectionError, requests.Timeout, ChunkedEncodingError)):
        if arrived > before:
            return f"the connection broke after {arrived / 1e6:.1f} MB", True
        return "no connection, or no answer", True
    return str(error), False


class UnusableError(requests.RequestException):
    """What the server sends does not fit what was asked for."""


class _Attempt:
    """One request, written to the end of a file and shown as a bar.

    The request runs in a thread of its own, so that a server that sends its answer too
    slowly, be it only the headers, cannot hold up the caller.
    """

    def __init__(self, url, path):
        self.url, self.path = url, path
        self.error = None
        self.stopped = False

    def run(self, deadline):
        thread = threading.Thread(target=self._request, daemon=True)
        thread.start()
        try:
            while thread.is_alive() and time.monotonic() < deadline:
                thread.join(0.1)  # short, since Windows does not interrupt it
        finally:  # after an interrupt, too
            self.stopped = True
        if thread.is_alive():
            raise TimeoutError
        if self.error:
            raise self.error

    def _request(self):
        try:
            with open(self.path, "ab") as self.file, self._progress() as self.bar:
                headers = {"Accept-Encoding": "identity"}
                if self.file.tell():
                    headers["Range"] = f"bytes={self.file.tell()}-"
                HTTPDownloader(
                    chunk_size=2**16,
                    timeout=TIMEOUT,
                    headers=headers,
                    hooks={"response": self._begin},
                )(self.url, self, None)
        except requests.RequestException as error:
            self.error = error
        except Exception as error:
            # With a number it is the disk's; else it is about addresses or headers.
            from_disk = isinstance(error, OSError) and error.errno
            self.error = error if from_disk else requests.RequestException(str(error))

    def _progress(self):
        return tqdm(
            desc=urlsplit(self.url).netloc,
            unit="B",
            unit_scale=True,
            leave=False,
            disable=not (sys.stderr.isatty() or "ipykernel" in sys.modules),
        )

    def _begin(self, response, **_):
        """Begin the file anew unless the server goes on where it ended."""
        if self.stopped:
            raise TimeoutError
        done = self.file.tell()
        if response.status_code in (200, 416):
            done = self.file.truncate(0)
        elif response.status_code == 206:
            part = response.headers.get("content-range", "")
            if not part.startswith(f"bytes {done}-"):
                raise UnusableError("the server sent another part of the file")
        self.bar.reset(done + int(response.headers.get("content-length", 0)))
        self.bar.update(done)

    def write(self, content):
        if self.stopped:
            raise TimeoutError
        self.file.write(content)
        if self.file.tell() > MOST_BYTES:
            raise UnusableError("the server sends far more than the data")
        self.bar.update(len(content))

    def flush(self):
        self.file.flush()

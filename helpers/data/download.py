"""Download CIFAR-100 from its official site or a mirror, on bad networks too."""

import logging
import sys
import threading
import time
import warnings
from urllib.parse import urlsplit

import requests
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
SILENCE = 20  # seconds without a byte after which an attempt has failed
TIME_LIMIT = 15 * 60  # seconds for all files of one mirror

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
    paths = [folder / f"{host.replace(':', '-')}-{url.split('/')[-1]}" for url in urls]
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


def _part(path):
    return path.with_name(path.name + ".part")


def _download(url, path, deadline):
    """Download a file to `path`, going on after every failure that may pass."""
    host = urlsplit(url).netloc
    attempt = 0
    while True:
        before = path.stat().st_size if path.exists() else 0
        try:
            return _Attempt(url, path).run(deadline - time.monotonic())
        except TimeoutError:
            reason, passing = f"not complete after {TIME_LIMIT / 60:.3g} minutes", False
        except requests.HTTPError as error:
            status = error.response.status_code
            reason = f"the server answered {status} {error.response.reason}"
            passing = status >= 500 or status in (408, 416, 429)
        except (
            requests.ConnectionError,
            requests.Timeout,
            requests.exceptions.ChunkedEncodingError,
        ):
            arrived = path.stat().st_size
            reason = f"the connection broke after {arrived / 1e6:.1f} MB"
            if arrived == 0:
                reason = "no connection, or no answer"
            passing = True
        except requests.RequestException as error:
            reason, passing = str(error), False
        # Attempts count only while they bring nothing.
        attempt = 1 if path.stat().st_size > before else attempt + 1
        if not passing or attempt == ATTEMPTS:
            raise DataError(f"{host}: {reason}.")
        log.warning("%s: %s; trying again.", host, reason)
        time.sleep(min(PAUSE * 2 ** (attempt - 1), max(deadline - time.monotonic(), 0)))


class _Attempt:
    """One request, written to the end of a file and shown as a bar.

    The request runs in a thread of its own, so that a server that sends its answer too
    slowly, be it only the headers, cannot hold up the caller.
    """

    def __init__(self, url, path):
        self.url, self.path = url, path
        self.error = None
        self.stopped = False

    def run(self, seconds):
        thread = threading.Thread(target=self._request, daemon=True)
        thread.start()
        try:
            thread.join(max(seconds, 0))
        finally:  # after an interrupt, too
            self.stopped = True
        if thread.is_alive():
            raise TimeoutError
        if self.error:
            raise self.error

    def _request(self):
        shown = sys.stderr.isatty() or "ipykernel" in sys.modules
        try:
            with (
                open(self.path, "ab") as self.file,
                tqdm(
                    desc=urlsplit(self.url).netloc,
                    unit="B",
                    unit_scale=True,
                    leave=False,
                    disable=not shown,
                ) as self.bar,
            ):
                headers = {"Accept-Encoding": "identity"}
                if self.file.tell():
                    headers["Range"] = f"bytes={self.file.tell()}-"
                HTTPDownloader(
                    chunk_size=2**16,
                    timeout=SILENCE,
                    headers=headers,
                    hooks={"response": self._begin},
                )(self.url, self, None)
        except Exception as error:
            self.error = error

    def _begin(self, response, **_):
        """Begin the file anew unless the server goes on where it ended."""
        done = self.file.tell()
        if response.status_code in (200, 416):
            done = self.file.truncate(0)
        elif response.status_code == 206:
            part = response.headers.get("content-range", "")
            if not part.startswith(f"bytes {done}-"):
                raise requests.RequestException("the server sent another part")
        self.bar.reset(done + int(response.headers.get("content-length", 0)))
        self.bar.update(done)

    def write(self, content):
        if self.stopped:
            raise TimeoutError
        self.file.write(content)
        self.bar.update(len(content))

    def flush(self):
        self.file.flush()

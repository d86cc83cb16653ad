"""A server on this machine that misbehaves, and processes to be killed."""

import contextlib
import functools
import multiprocessing
import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from helpers import data


def whole(content, *, share=1.0, pauses=0):
    """Send a share of the content, but the length of all; rest now and then."""

    def answer(handler):
        start = handler.start_content(content)
        part = content[start : int(share * len(content))]
        step = len(part) // (pauses + 1) + 1
        for place in range(0, len(part), step):
            handler.wfile.write(part[place : place + step])
            if pauses and handler.server.stopped.wait(0.05):
                return

    return answer


def stalled(content):
    """Send half of the content, and then nothing more; of no content, no headers."""

    def answer(handler):
        if content:
            whole(content, share=0.5)(handler)
        handler.server.stopped.wait(20)

    return answer


def status(code, **headers):
    """Send a status, headers, and nothing else."""

    def answer(handler):
        handler.send_response(code)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()

    return answer


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        asked = self.headers.get("Range", "")
        self.start = int(asked.removeprefix("bytes=").removesuffix("-") or 0)
        _, mirror, _ = self.path.split("/")
        self.server.requests.append((mirror, self.start))
        answers = self.server.answers[mirror]
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            answer(self)

    def start_content(self, content):
        """Send the headers; return where the content is to start."""
        start = self.start if self.server.ranges else 0
        if start and start >= len(content):
            self.send_error(416)
            return len(content)
        self.send_response(206 if self.server.ranges else 200)
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        return start

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    """A loopback server, of which each folder is a mirror of the data."""

    request_queue_size = 32

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers, self.requests, self.ranges = {}, [], True
        self.stopped = threading.Event()
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    def mirror(self, *answers):
        """Let mirrors give these answers, or lists, the last one again and again."""
        self.requests.clear()
        listed = [a if isinstance(a, list) else [a] for a in answers]
        self.answers = {str(number): each for number, each in enumerate(listed)}
        address = f"http://127.0.0.1:{self.server_port}"
        data.MIRRORS = [f"{address}/{name}" for name in self.answers]

    def __exit__(self, *_):
        self.stopped.set()
        self.shutdown()
        self.server_close()


# Processes: quick copies of one that has imported what is needed.


@functools.cache
def context():
    forks = multiprocessing.get_context("forkserver")
    forks.set_forkserver_preload(["helpers.data", "filelock", "pooch", "requests"])
    return forks


def start(task, *arguments):
    """Start a process that runs a function on what `helpers.data` is patched to."""
    names = ("CACHE", "MIRRORS", "FILES", "ARCHIVE_SHA256", "TIMEOUT")
    state = {name: getattr(data, name) for name in names}
    child = context().Process(target=_run, args=(state, task, *arguments), daemon=True)
    child.start()
    return child


def _run(state, task, *arguments):
    vars(data).update(state)
    task(*arguments)


def keep_error(message, size=None):
    """Load as a user without rights, or, with a size, where no file may be larger."""
    import resource

    if size:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
    elif os.getuid() == 0:
        os.setgid(65534)
        os.setuid(65534)
    try:
        data.load_cifar100()
        message.value = b"loaded"
    except Exception as error:
        message.value = f"{type(error).__name__}: {error}".encode()[:900]

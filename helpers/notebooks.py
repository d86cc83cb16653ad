"""Start Keras quietly, and keep its training from pausing."""

import contextlib
import os
import subprocess
import sys

# Reads what is written to stderr, and passes on what is no report of TensorFlow: its
# lines begin with the letter of a level and the date. F, fatal, is passed on.
PASS_ON = r"""
import re, sys
report = re.compile(rb"WARNING: All log messages before absl::|[IWE]\d{4} ")
for line in sys.stdin.buffer:
    if not report.match(line):
        sys.stdout.buffer.write(line)
        sys.stdout.buffer.flush()
"""


@contextlib.contextmanager
def quiet_start():
    """Hide what TensorFlow reports of itself while Keras is imported.

    A message with which it gives up is still shown, such as that it needs a newer
    processor. Whoever has set TF_CPP_MIN_LOG_LEVEL sees as much as it says.
    """
    chosen = os.environ.get("TF_CPP_MIN_LOG_LEVEL")
    # TensorFlow reads it once, when it is imported: 3 leaves the fatal messages.
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = chosen or "3"
    try:
        # A Python inside another program may not know of a program to start.
        quiet = os.environ["TF_CPP_MIN_LOG_LEVEL"] == "3" and sys.executable
        with _without_reports() if quiet else contextlib.nullcontext():
            yield
    finally:
        if chosen is None:
            del os.environ["TF_CPP_MIN_LOG_LEVEL"]


@contextlib.contextmanager
def _without_reports():
    """Drop the reports that TensorFlow writes although its level is set.

    On processors with some newer instructions, it tells so in spite of the level
    (https://github.com/tensorflow/tensorflow/issues/100442). It writes below Python,
    and may end it, so another process reads along.
    """
    try:
        kept = os.dup(2)
    except OSError:  # no stderr at all, as below pythonw.exe
        yield
        return
    reader = subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", PASS_ON], stdin=subprocess.PIPE, stdout=kept
    )
    os.dup2(reader.stdin.fileno(), 2)
    reader.stdin.close()
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        # A process that the import has started may hold the pipe open.
        with contextlib.suppress(subprocess.TimeoutExpired):
            reader.wait(5)


def train_without_pauses():
    """Switch off the autotuning of TensorFlow's input pipelines in this process.

    When an epoch ends, ``fit`` waits for a thread that sleeps for up to a minute.
    Images in memory need no tuning; the batches are the same.
    https://www.tensorflow.org/api_docs/python/tf/data/experimental/AutotuneOptions
    """
    import keras

    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        tf.data.experimental.AutotuneOptions.enabled = False

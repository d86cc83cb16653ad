"""Start Keras quietly, and keep its training from pausing."""

import contextlib
import os


@contextlib.contextmanager
def quiet_start():
    """Hide what TensorFlow prints, below Python, while Keras is imported."""
    kept = os.dup(2)
    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
        import keras

        keras.ops.zeros(1)  # the last messages come with the first computation
    finally:
        os.dup2(kept, 2)
        os.close(kept)


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

"""Start Keras quietly, and keep its training from pausing."""

import contextlib
import os


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
        yield
    finally:
        if chosen is None:
            del os.environ["TF_CPP_MIN_LOG_LEVEL"]


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

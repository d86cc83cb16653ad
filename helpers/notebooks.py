"""Start Keras quietly, and share what one notebook defines with the others."""

import contextlib
import linecache
import os
from pathlib import Path

NOTEBOOKS = Path(__file__).resolve().parents[1] / "notebooks"


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


def dtype_policy():
    """Return the name of the number format that trains fastest on this processor.

    It is "mixed_bfloat16" where the processor says that it multiplies 16-bit numbers,
    but not with JAX, else "float32". https://keras.io/api/mixed_precision/
    """
    import keras

    info = Path("/proc/cpuinfo")
    known = info.exists() and keras.config.backend() != "jax"
    fast = {"amx_bf16", "avx512_bf16"} & set(info.read_text().split() if known else ())
    return "mixed_bfloat16" if fast else "float32"


def cell_sources(notebook, *tags):
    """Return the sources of a notebook's code cells that carry one of the tags."""
    import nbformat  # takes longer than all other imports together, seldom needed

    cells = nbformat.read(NOTEBOOKS / notebook, as_version=4).cells
    code = [(c.source, c.metadata.get("tags", [])) for c in cells if "outputs" in c]
    missing = set(tags).difference(*(own for _, own in code))
    if missing:
        raise ValueError(
            f"{notebook} has no code cell tagged {' or '.join(sorted(missing))},"
            " expected one or more: give the tag to the cells to run."
        )
    return [source for source, own in code if set(tags).intersection(own)]


def run_cells(notebook, *tags, **names):
    """Run the cells of a notebook that carry one of the tags; return the namespace.

    Parameters
    ----------
    notebook : str
        A file in ``notebooks/``, such as "02-model.ipynb".
    *tags : str
        The tags of the cells, which run from top to bottom.
    **names
        Names that exist before the first of them runs, and are returned, too.

    Raises
    ------
    ValueError
        If no code cell of the notebook carries one of the tags.
    """
    for number, source in enumerate(cell_sources(notebook, *tags), start=1):
        place = f"{notebook}, cell {number} tagged {' or '.join(tags)}"
        # Lets a traceback show the line of the notebook.
        linecache.cache[place] = len(source), None, source.splitlines(True), place
        exec(compile(source, place, "exec"), names)
    return names

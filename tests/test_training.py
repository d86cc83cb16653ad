"""A training that was interrupted, run twice or changed is told in one sentence."""

from types import SimpleNamespace

import numpy as np
import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output

from helpers import quiet_start
from helpers.training import TrainingError, check_epochs


def shown(*cells):
    """Return what a notebook of these cells prints."""
    shell = InteractiveShell.instance()
    try:
        with capture_output() as said:
            for cell in cells:
                shell.run_cell(cell)
    finally:
        shell.set_custom_exc((), None)
        InteractiveShell.clear_instance()
    return (said.stdout + said.stderr).strip().splitlines()


def test_interrupt_is_one_sentence():
    lines = shown(
        "from helpers.training import explain_interrupts; explain_interrupts()",
        "raise KeyboardInterrupt",
    )
    assert len(lines) == 1 and lines[0].startswith(
        "Interrupted: the cell did not finish"
    )


def test_other_errors_keep_their_traceback():
    lines = shown(
        "from helpers.training import explain_interrupts; explain_interrupts()", "1 / 0"
    )
    assert any("ZeroDivisionError" in line for line in lines)


@pytest.mark.parametrize(
    ("epochs", "said"),
    [([], "none"), ([0], "1 to 1"), ([0, 1, 2, 3], "1 to 4"), ([2, 3, 4], "3 to 5")],
)
def test_history_of_other_epochs_is_one_sentence(epochs, said):
    with pytest.raises(TrainingError, match=f"has the epochs {said}, expected 1 to 3"):
        check_epochs(SimpleNamespace(epoch=epochs), 3)


def test_model_that_was_trained_before_is_one_sentence():
    with quiet_start():
        import keras
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    model.compile("sgd", "mse")
    data = {"x": np.zeros((20, 4)), "y": np.zeros((20, 2)), "batch_size": 5}
    first = model.fit(**data, epochs=3, verbose=0)
    assert check_epochs(first, 3) is first
    second = model.fit(**data, epochs=3, verbose=0)
    with pytest.raises(TrainingError, match="has taken 24 steps, expected 12: it went"):
        check_epochs(second, 3)

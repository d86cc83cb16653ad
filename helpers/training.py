"""What can happen to a training at a reader's hands, each told in one sentence."""


class TrainingError(Exception):
    """A training does not fit to what comes next; the message says what to do."""

    def _render_traceback_(self):
        """Let a notebook show the sentence alone."""
        return [f"{type(self).__name__}: {self}"]


def explain_interrupts():
    """Let this notebook answer an interrupt with a sentence in place of a traceback.

    An interrupted ``fit`` has a traceback of a hundred lines, from places that readers
    never see. Outside IPython nothing changes.
    """
    from IPython import get_ipython

    shell = get_ipython()
    if shell is not None:
        shell.set_custom_exc((KeyboardInterrupt,), _say_interrupted)


def _say_interrupted(shell, kind, value, traceback, tb_offset=None):
    print(
        "Interrupted: the cell did not finish, so what it should have made is missing"
        " or half done. Run the cells again from the one that builds the model."
    )
    return []


def check_epochs(history, epochs):
    """Return a history of training that has all its epochs.

    Parameters
    ----------
    history : keras.callbacks.History
        What ``fit`` returned.
    epochs : int
        How many epochs the next cells are about.

    Raises
    ------
    TrainingError
        If it has another number, as where a switch was changed and the training was not
        run again; or if the model had been trained before, as where ``fit`` ran twice.
    """
    if [*history.epoch] != [*range(epochs)]:
        raise TrainingError(
            f"This history has the epochs {_span(history.epoch)}, expected 1 to"
            f" {epochs}: run the cells from the one that builds the model again."
        )
    steps = history.params["steps"] * epochs
    taken = int(history.model.optimizer.iterations)
    if taken != steps:
        raise TrainingError(
            f"The model has taken {taken:,} steps, expected {steps:,}: it went on from"
            " an earlier training. Run the cells from the one that builds the model"
            " again."
        )
    return history


def _span(numbers):
    if not numbers:
        return "none"
    return f"{numbers[0] + 1} to {numbers[-1] + 1}"

"""What a reader sees who stops a training: one sentence."""


def explain_interrupts():
    """Let this notebook answer an interrupt with a sentence in place of a traceback.

    An interrupted ``fit`` has a traceback of a hundred lines, from places that readers
    never see. The cell still counts as failed, so that no later one is run by itself.
    Outside IPython nothing changes.
    """
    from IPython import get_ipython

    shell = get_ipython()
    if shell is not None:
        shell.set_custom_exc((KeyboardInterrupt,), _say_interrupted)


def _say_interrupted(shell, kind, value, traceback, tb_offset=None):
    print(
        "Interrupted: this cell did not finish, and what it makes may be missing. Run"
        " it again before you go on."
    )
    return []

"""Which recorded trainings a test accuracy of the front page and the slides is of."""

import pandas as pd

from helpers.runs import RUNS, load_runs

# The name of a figure, the group of records and the step whose trainings count.
RESULTS = {
    "baseline": ("baseline", "The lecture's network"),
    "improved": ("chosen", "The chosen recipe"),
    "large": ("large", "large"),
}


def judged():
    """Return the trainings behind each figure, whose mean over the seeds it is.

    Returns
    -------
    dict of str to pandas.DataFrame
        By the name of the figure. One whose records are gone is left out: a course may
        do without its notebook.
    """
    found = {}
    for name, (group, step) in RESULTS.items():
        if not (RUNS / group).exists():
            continue
        trainings = load_runs(group)[0]
        if group == "large":  # and the timed seed
            trainings = pd.concat([trainings, load_runs("clock")[0]])
        trainings = trainings[trainings["step"] == step]
        found[name] = trainings.dropna(subset="test.accuracy")
    return found

"""The table of what is recorded: one row for each step of each group.

A row names a function of `helpers.recipes` and its arguments; with a seed, it is a job.
Everything that identifies a record stands here or in the code of the function.
"""

from __future__ import annotations

import ast
import json
import re
from dataclasses import asdict, dataclass, field, replace
from itertools import zip_longest

from helpers.export import MODULE, NOTEBOOKS
from tools.recording.syntax import (
    code_sha256,
    definitions,
    described,
    r_code,
    recorded_code,
    sha256,
    value_of,
)

FIRST_SEED = 425
R_NOTEBOOK = NOTEBOOKS / "lecture-in-r.ipynb"
PYTORCH_NOTEBOOK = NOTEBOOKS / "lecture-in-pytorch.ipynb"


@dataclass(frozen=True)
class Row:
    """What is trained: a function and its arguments, and how that is recorded.

    An argument in capital letters is the name of a recipe of the notebooks, and stands
    for its value; `changes` are made to that recipe. `images` are those of one epoch,
    as a share of the training images or as a number of them; with `batch_size`, the
    recorder holds them against the steps that the optimizer has really made.
    `test_images` names a function that returns images and labels to test on, in place
    of the usual ones. `environment` has variables to set, such as the engine of Keras.
    What a row leaves open is as its group says.
    """

    step: str
    function: str
    arguments: dict = field(default_factory=dict)
    changes: dict = field(default_factory=dict)
    images: float | int = 0.8
    batch_size: int = 128
    test_images: str | None = None
    environment: dict | None = None
    deterministic: bool = False
    seeds: tuple | None = None
    epochs: int | None = None
    tested: str | None = None
    weights: bool | None = None


@dataclass(frozen=True)
class Group:
    """Rows that are recorded for one page.

    `epochs` is None where the function or its recipe has them. `tested` says when the
    test images are used: "never", at the "end", or after "each" epoch. A timed group
    runs alone, job after job, and its rows take `turns`. `weights` are kept where some
    page loads them; `calibrated` adds the temperature of part 4. A `planned` one waits
    for its first recording, and its page says so.
    """

    name: str
    rows: tuple
    seeds: tuple = (FIRST_SEED,)
    epochs: int | None = None
    tested: str = "never"
    weights: bool = False
    timed: bool = False
    turns: int = 0
    calibrated: bool = False
    planned: bool = False


def seeds(n, first=FIRST_SEED):
    """Return n seeds, one after the other."""
    return tuple(range(first, first + n))


JAX = {"KERAS_BACKEND": "jax"}
TORCH = {"KERAS_BACKEND": "torch"}
TENSORFLOW = {"KERAS_BACKEND": "tensorflow"}


def devices(n):
    """Return the environment in which JAX sees n virtual devices."""
    return JAX | {"XLA_FLAGS": f"--xla_force_host_platform_device_count={n}"}


def few(network, rate, step=None):
    """Return the row of one of part 3's networks, trained on few images."""
    arguments = {"network": network, "learning_rate": rate}
    sizes = {"images": 4_000, "batch_size": 32}
    return Row(step or network, "train_on_few_images", arguments, **sizes)


def tries_on_few(rates):
    """Return the rows of learning rates to try for each network of part 3."""
    return tuple(
        few(network, rate, f"{network}, {rate}")
        for network in RATE_ON_FEW
        for rate in rates
    )


def part_5(step, recipe, images=10_000, **options):
    """Return the row of a recipe of part 5."""
    return Row(step, "train_recipe", {"recipe": recipe}, images=images, **options)


def tries(rates, rates_of_sgd):
    """Return the rows of learning rates to try for each recipe of part 5."""
    return tuple(
        part_5(f"{step}, {rate}", recipe, changes={"learning_rate": rate})
        for step, recipe in STEPS.items()
        for rate in (rates_of_sgd if step == MOMENTUM else rates)
    )


def small(step, recipe, **options):
    """Return the row of a recipe of the appendix that trains its small network."""
    arguments = {"recipe": recipe}
    return Row(step, "train_staged", arguments, batch_size=250, **options)


def tries_of_steps():
    """Return the rows of lengths to try for the filters' steps, of both kinds."""
    kinds = {"Orthogonal steps": "SMALL", "Steps not orthogonal": "NOT_ORTHOGONAL"}
    return tuple(
        small(f"{kind}, {factor}", recipe, changes={"filters": factor})
        for kind, recipe in kinds.items()
        for factor in FACTORS
    )


def ablated(step, recipe):
    """Return the row of a recipe of the ablation, with the best length of steps."""
    factor = FACTOR_NOT_ORTHOGONAL if recipe == "NOT_ORTHOGONAL" else FACTOR
    return small(step, recipe, changes={"filters": factor})


def large(**options):
    """Return the row of the larger network."""
    arguments = {"recipe": "LARGE"}
    sizes = {"images": 1.0, "batch_size": 500}
    return Row("large", "train_staged", arguments, **sizes, **options)


def scratch(n, rate, step=None, tested="end"):
    """Return the row of the training on n images of each new class."""
    return Row(
        step or f"{n} images of each new class",
        "train_from_scratch",
        {"n": n, "learning_rate": rate},
        images=20 * n,
        batch_size=32,
        test_images="new_test_images" if tested == "end" else None,
        tested=tested,
    )


# The networks that part 3 trains on few images, each with the best of these rates.
RATES_ON_FEW = (0.0001, 0.0003, 0.001, 0.003)
# The smallest of these was the best for two networks, so each was given a fifth.
FIFTH_ON_FEW = 0.00003
RATE_ON_FEW = {
    "Convolutional network": 0.001,
    "Without dropout": 0.0003,
    "Dense network": 0.0001,
    "Softmax regression": 0.0001,
}
ORIGINAL_LECTURE = Row("original", "train_original", test_images="rescaled_test_images")
# The recipes of part 5 that are compared, and the learning rates that each one tries.
MOMENTUM = "SGD with momentum"
STEPS = {
    "The lecture's network": "ORIGINAL",
    "A cheaper network": "CHEAPER",
    "A schedule": "SCHEDULED",
    "Batch normalisation": "NORMALISED",
    "Flips": "FLIPPED",
    MOMENTUM: "MOMENTUM",
}
SMALL_STEPS = ("Batch normalisation", "Flips", MOMENTUM)
RATES, RATES_OF_SGD = (0.0003, 0.001, 0.003, 0.01), (0.03, 0.1, 0.3, 1.0)
# The largest of these was the best for some recipes, so each was given a fifth.
FIFTH, FIFTH_OF_SGD = 0.03, 0.01
SCRATCH_RATE = 0.01
# The appendix's ablation: the filters' steps, times one of these factors.
FACTORS = (0.25, 0.5, 1, 2, 4)
FACTOR, FACTOR_NOT_ORTHOGONAL = 1, 0.5
ABLATION = {
    "The whole recipe": "SMALL",
    "Without flips": "NO_FLIPS",
    "With shifts": "SHIFTS",
    "With label smoothing": "SMOOTHING",
    "Without filters of fixed length": "NO_UNIT_NORM",
    "Only the last stage": "ONE_STAGE",
    "Without larger steps for vectors": "NO_VECTORS",
    "Without orthogonal steps": "NOT_ORTHOGONAL",
}

# A record knows its position in the group: add a new row as the last one.
TABLE = (
    # Part 3, the lecture's training and what it is compared with.
    Group(
        "baseline",
        (Row("The lecture's network", "train_model"),),
        epochs=30,
        tested="end",
        weights=True,
        calibrated=True,
    ),
    # Tries of the learning rate with a seed of their own, then the comparison.
    Group(
        "few-rates",
        tries_on_few(RATES_ON_FEW) + tries_on_few((FIFTH_ON_FEW,)),
        (FIRST_SEED - 1,),
        epochs=10,
    ),
    Group(
        "few",
        tuple(few(network, rate) for network, rate in RATE_ON_FEW.items()),
        seeds(5),
        epochs=10,
    ),
    Group(
        "repeat",
        (
            Row("plain", "train_model"),
            Row("deterministic", "train_model", deterministic=True),
        ),
        epochs=2,
        timed=True,
        turns=4,
    ),
    # The lecture in R: its function is the R notebook.
    Group("r", (Row("The lecture in R", "R"),), epochs=30, tested="end"),
    # The lecture in PyTorch: its function is in that notebook.
    Group(
        "torch",
        (Row("The lecture in PyTorch", "PyTorch", environment=TORCH),),
        epochs=30,
        tested="end",
        timed=True,
    ),
    # Part 5: tries of the learning rate with a seed of their own, then the comparison.
    Group(
        "rates",
        tries(RATES, RATES_OF_SGD) + tries((FIFTH,), (FIFTH_OF_SGD,)),
        (FIRST_SEED - 1,),
    ),
    # Ten seeds where five left a small difference open.
    Group(
        "improving",
        tuple(
            part_5(step, recipe, seeds=seeds(10 if step in SMALL_STEPS else 5))
            for step, recipe in STEPS.items()
        ),
    ),
    # The one look at the test images, on all training images.
    Group(
        "chosen",
        (part_5("The chosen recipe", "IMPROVED", images=0.8),),
        seeds(5),
        tested="end",
    ),
    # The appendix on a larger network.
    Group("large", (large(),), seeds(4), tested="end"),
    # Tries of the length of the filters' steps, with Muon's orthogonal steps and
    # without, then each change of the recipe by itself.
    Group(
        "ablation-steps",
        tries_of_steps(),
        (FIRST_SEED - 1,),
    ),
    Group(
        "ablation",
        tuple(ablated(step, recipe) for step, recipe in ABLATION.items()),
        seeds(5),
    ),
    Group(
        "devices",
        (
            Row("one device", "train_on_devices", images=128, environment=devices(1)),
            Row("two devices", "train_on_devices", images=128, environment=devices(2)),
        ),
        epochs=10,
    ),
    # Transfer: 80 classes are learned first, and then 20 new ones.
    Group(
        "transfer",
        (
            Row("80 classes", "pretrain", weights=True),
            scratch(5, SCRATCH_RATE),
            scratch(20, SCRATCH_RATE),
            scratch(100, SCRATCH_RATE),
        ),
        seeds(3),
    ),
    # The tries by which SCRATCH_RATE was chosen, by validation.
    Group(
        "transfer-rates",
        tuple(scratch(20, rate, f"rate {rate}", "never") for rate in (*RATES, FIFTH)),
        (FIRST_SEED - 1,),
    ),
    # The appendix on speed.
    Group(
        "speed",
        (
            ORIGINAL_LECTURE,
            Row("bundle", "train_model"),
            Row("pytorch", "train_in_pytorch"),
        ),
        epochs=3,
        tested="each",
        timed=True,
        turns=2,
    ),
    Group(
        "engines",
        (
            Row("TensorFlow", "train_model", environment=TENSORFLOW),
            Row("JAX", "train_model", environment=JAX),
            Row("PyTorch", "train_model", environment=TORCH),
            Row("plain PyTorch", "train_in_pytorch", environment=TORCH),
        ),
        epochs=3,
        tested="each",
        timed=True,
        turns=2,
    ),
    # One lecture in three languages: two epochs of what each notebook trains, of which
    # the second is compared. It takes the place of the group `engines` once recorded.
    Group(
        "languages",
        (
            Row("Keras", "train_model", environment=TENSORFLOW),
            Row("PyTorch", "PyTorch", environment=TORCH),
            Row("R", "R", environment=TENSORFLOW),
        ),
        epochs=2,
        timed=True,
        turns=5,
        planned=True,
    ),
    Group(
        "clock",
        (
            small("small", "SMALL", seeds=seeds(5)),
            replace(ORIGINAL_LECTURE, epochs=30),
            # Another seed than those of the group `large`: it is the fifth result.
            large(seeds=(FIRST_SEED + 5,)),
        ),
        tested="each",
        timed=True,
    ),
    # The lecture's own code: five epochs tell the seconds of thirty.
    Group(
        "pace",
        (Row("bundle", "train_model"),),
        epochs=5,
        tested="each",
        timed=True,
    ),
)


# What a record says first; the rest of a job is below its `options`. The notebooks
# read the group as "run", which is the name of its folder in runs/.
IDENTITY = ("run", "step", "number", "seed", "function", "arguments", "code_sha256")
IDENTITY += ("batch_size",)


@dataclass(frozen=True)
class Job:
    """One training: a row of the table with its seed, as a process is told of it."""

    group: str
    step: str
    number: int  # the position of its row in the group
    seed: int
    function: str
    arguments: dict
    code_sha256: str  # of the function and of all that it uses
    images: float | int
    batch_size: int
    epochs: int | None
    test_images: str | None
    tested: str
    weights: bool
    deterministic: bool
    timed: bool
    calibrated: bool
    environment: dict | None

    @property
    def folder(self):
        """Return its folder below runs/; a step may hold any characters."""
        slug = re.sub(r"[^a-z0-9]+", "-", self.step.lower()).strip("-")
        return f"{self.group}/{slug}-{self.seed}"

    def trained_images(self, available):
        """Return on how many images an epoch trains, of those that are there."""
        if isinstance(self.images, float):
            return int(self.images * available)
        return min(self.images, int(0.8 * available))

    @property
    def described(self):
        """Return what the record of this very job holds, too, as JSON has it."""
        told = json.loads(json.dumps(asdict(self)))
        told["run"] = told.pop("group")
        return {
            **{name: told.pop(name) for name in IDENTITY},
            "options": told,
        }


def jobs(epochs=None):
    """Return all jobs whose function is there: a course may leave notebooks out.

    Parameters
    ----------
    epochs : int, optional
        At most so many epochs where the table sets them, for a quick look.
    """
    module = MODULE.read_text(encoding="utf-8")
    made = []
    for group in TABLE:
        rows = [
            jobs_of(group, number, row, module)
            for number, row in enumerate(group.rows, start=1)
            if is_there(row, module)
        ]
        if group.timed:  # the rows take turns
            made += [job for turn in zip_longest(*rows) for job in turn if job]
        else:
            made += [job for row in rows for job in row]
    if epochs is None:
        return made
    return [
        replace(job, epochs=min(job.epochs, epochs)) if job.epochs else job
        for job in made
    ]


def is_there(row, module):
    """Return whether the notebook that defines the function of a row is there."""
    if row.function == "R":
        return R_NOTEBOOK.exists()
    if row.function == "PyTorch":
        return PYTORCH_NOTEBOOK.exists()
    named = [x for x in row.arguments.values() if isinstance(x, str) and x.isupper()]
    return {row.function, *named} <= set(definitions(module))


def jobs_of(group, number, row, module):
    """Return the jobs of a row: one for each seed, or for each turn."""
    sha, arguments = identity(row, group.calibrated, module)
    shared = {
        "group": group.name,
        "number": number,
        "function": row.function,
        "arguments": arguments,
        "code_sha256": sha,
        "images": row.images,
        "batch_size": row.batch_size,
        "epochs": row.epochs or group.epochs,
        "test_images": row.test_images,
        "tested": row.tested or group.tested,
        "weights": group.weights if row.weights is None else row.weights,
        "deterministic": row.deterministic,
        "timed": group.timed,
        "calibrated": group.calibrated,
        "environment": row.environment,
    }
    made = []
    for seed in row.seeds or group.seeds:
        for turn in range(1, max(group.turns, 1) + 1):
            step = f"{row.step}, turn {turn}" if group.turns else row.step
            made.append(Job(step=step, seed=seed, **shared))
    return made


def identity(row, calibrated, module):
    """Return the hash of the code of a row, and its arguments with recipes resolved.

    The functions by which a training is judged belong to its code.
    """
    if row.function == "R":
        return sha256(r_code(R_NOTEBOOK).encode()), {}
    if row.function == "PyTorch":
        code = ast.parse(recorded_code(PYTORCH_NOTEBOOK))
        return sha256(described(code).encode()), {}
    defined, arguments = definitions(module), {}
    for name, value in row.arguments.items():
        if isinstance(value, str) and value.isupper():
            value = value_of(value, defined) | row.changes
        arguments[name] = value
    judging = [row.test_images] if row.test_images else []
    if calibrated:
        judging.append("fit_temperature")
    return code_sha256(module, (row.function, *judging)), arguments

"""What is recorded: the table of jobs, made of the notebooks' own cells."""

import hashlib
import itertools
import re
from typing import NamedTuple

import nbformat

from helpers.notebooks import NOTEBOOKS, cell_sources

SEED = 425
SEEDS = range(SEED, SEED + 3)
SEEDS_OF_THE_CHOICE = range(SEED, SEED + 5)
# The learning rates that part 5 compares with those of two of its steps.
PEAKS = {
    "A learning rate that ends at zero": (0.0005, 0.002, 0.004, 0.008),
    "SGD with momentum": (0.05, 0.1, 0.2, 0.4),
}


def sha256(content):
    """Return the hexadecimal SHA-256 of bytes."""
    return hashlib.sha256(content).hexdigest()


JAX, TORCH = {"KERAS_BACKEND": "jax"}, {"KERAS_BACKEND": "torch"}


# What to run: a program sets `model` and `history`, given SEED, epochs and callbacks.


def program_of(*sources):
    """Return cells as one program, without the lines that only pages need."""
    text = "\n\n".join(source.strip() for source in sources)
    return re.sub(r"^#\|.*\n\n?", "", text, flags=re.M) + "\n"


def lecture():
    """Return the program of notebooks 2 and 3."""
    network = cell_sources("02-model.ipynb", "network")
    return program_of(*network, *cell_sources("03-training.ipynb", "train"))


def lecture_in_r():
    """Return the program of the lecture's network and training in R."""
    return program_of(*cell_sources("lecture-in-r.ipynb", "train"))


def compared(tag, build, train):
    """Return the program of one of notebook 3's comparisons, by its functions."""
    network = cell_sources("02-model.ipynb", "network")
    cells = cell_sources("03-training.ipynb", "data", tag)
    call = (
        f"keras.utils.set_random_seed(SEED)\nmodel = {build}(data)\nhistory = {train}"
    )
    return program_of(*network, *cells, call)


def contender(name):
    """Return the program of one of the appendix's other ways to train the network."""
    cells = cell_sources("benchmark.ipynb", name)
    return program_of(*cells, f"model, history = {name}(SEED, epochs, callbacks)")


def tagged(notebook):
    """Return a tag, the heading above and the source for each tag of a code cell."""
    found, heading = [], ""
    for cell in nbformat.read(notebook, as_version=4).cells:
        if cell.cell_type == "markdown":
            headings = re.findall(r"^##+ (.+)$", cell.source, re.M)
            heading = headings[-1].strip() if headings else heading
        else:
            tags = cell.metadata.get("tags", [])
            found += [(tag, heading, cell.source) for tag in tags]
    return found


def recipes(notebook=NOTEBOOKS / "05-improving.ipynb"):
    """Return notebook 5's programs by the headings of their sections, and the choice.

    A step is added to those above it, a variant is tried on top of them and left out;
    the last step is the choice.
    """
    found, kept, programs = tagged(notebook), [], {}
    setup = [source for tag, _, source in found if tag == "setup"]
    train = [source for tag, _, source in found if tag == "train"]
    for tag, heading, source in found:
        if tag in ("step", "variant"):
            tried = [*kept, source]
            if tag == "step":
                kept, choice = tried, heading
            programs[heading] = program_of(*setup, *tried, *train)
    return programs, choice


def large_networks():
    """Return the programs of the appendix on a larger network: both sizes, and changes.

    A cell tagged "without" changes one ingredient of the small network's training.
    """
    recipe = cell_sources("05-improving.ipynb", "setup")
    recipe += cell_sources("large.ipynb", "recipe")

    def program(size, *changed):
        cells = cell_sources("large.ipynb", size)
        call = f"model, history = train_{size}(SEED, callbacks)"
        return program_of(*recipe, *cells, *changed, call)

    sizes = {size: program(size) for size in ("small", "large")}
    changes = {
        heading: program("small", source)
        for tag, heading, source in tagged(NOTEBOOKS / "large.ipynb")
        if tag == "without"
    }
    return sizes, changes


def on_devices():
    """Return the program of the appendix's training that is spread over devices."""
    setup = cell_sources("05-improving.ipynb", "setup")
    cell = cell_sources("large.ipynb", "devices")
    call = "model, history = train_on_devices(SEED, epochs, callbacks)"
    return program_of(*setup, *cell, call)


def transfer(call):
    """Return the program of a training of the appendix on transfer, by its call.

    Its test images are those of the new classes.
    """
    recipe = cell_sources("05-improving.ipynb", "setup", "step")
    tested = "callbacks[0].x_test, callbacks[0].y_test = x_new_test, y_new_test"
    cells = cell_sources("transfer.ipynb", "transfer")
    return program_of(*recipe, *cells, tested, f"model, history = {call}")


def with_peak(program, peak):
    """Return a program whose last learning rate climbs to another peak."""
    before, _, after = program.rpartition("peak=")
    return f"{before}peak={peak}{after.lstrip('0123456789.')}"


# The table of jobs.


class Job(NamedTuple):
    """One training: what to run, from which seed, and how."""

    run: str
    step: str
    number: int  # its position in the group
    seed: int
    program: str
    epochs: int | None = None  # where the cells leave them open
    tested: str = "never"  # by the test images: never, at the end, after each epoch
    weights: bool = False  # whether they are kept
    deterministic: bool = False  # whether to use deterministic operations
    timed: bool = False  # whether its seconds are compared: then it runs alone
    environment: dict | None = None  # variables, such as the engine of Keras

    @property
    def folder(self):
        """Return its folder below runs/; a heading may hold any characters."""
        slug = re.sub(r"[^a-z0-9]+", "-", self.step.lower()).strip("-")
        return f"{self.run}/{slug}-{self.seed}"

    @property
    def described(self):
        """Return what decides the result: the record of this very job holds it, too."""
        names = self._fields[self._fields.index("epochs") :]
        return {
            **{name: getattr(self, name) for name in ("run", "step", "number", "seed")},
            "program_sha256": sha256(self.program.encode()),
            "options": {name: getattr(self, name) for name in names},
        }


def of_the_lecture(epochs):
    """Return the jobs of parts 2 and 3; `epochs` shortens them."""
    full = {"epochs": epochs or 30, "tested": "end", "weights": True}
    table = [Job("baseline", "The lecture's network", 1, SEED, lecture(), **full)]
    few = "train_on_few_images(model, epochs, callbacks)"
    compare = [
        ("dropout", 1, "With dropout", "build_model", few),
        ("dropout", 2, "Without dropout", "without_dropout", few),
    ]
    baselines = ("Softmax regression", "Dense network"), (0.001, 0.0001)
    for number, (step, rate) in enumerate(itertools.product(*baselines), start=1):
        train = f"train_baseline(model, {rate}, epochs, callbacks)"
        build = step.lower().replace(" ", "_")
        compare.append(("baselines", number, f"{step}, {rate}", build, train))
    for seed in SEEDS:
        for run, number, step, build, train in compare:
            program = compared(run, build, train)
            shorter = min(epochs or 20, 20)
            table.append(Job(run, step, number, seed, program, epochs=shorter))
    for turn, deterministic in itertools.product(range(1, 5), (False, True)):
        step = f"{'deterministic' if deterministic else 'plain'}, turn {turn}"
        short = {"epochs": 2, "timed": True, "deterministic": deterministic}
        table.append(Job("repeat", step, 1 + deterministic, SEED, lecture(), **short))
    return table


def of_r(epochs):
    """Return the job of the lecture in R, of as many epochs as the lecture's."""
    in_r = {"epochs": epochs or 30, "tested": "end"}
    return [Job("r", "The lecture in R", 1, SEED, lecture_in_r(), **in_r)]


def of_part_5(_):
    """Return the jobs of part 5: its steps, and the learning rates that were tried."""
    table, (improving, choice) = [], recipes()
    for number, (step, program) in enumerate(improving.items(), start=1):
        tested = "end" if step == choice else "never"
        for seed in SEEDS_OF_THE_CHOICE if step == choice else SEEDS:
            table.append(Job("improving", step, number, seed, program, tested=tested))
    trials = [(s, p, improving[s]) for s in PEAKS if s in improving for p in PEAKS[s]]
    for number, (step, peak, program) in enumerate(trials, start=1):
        for seed in SEEDS[:2]:
            tried = with_peak(program, peak)
            table.append(Job("peaks", f"{step}, peak {peak}", number, seed, tried))
    return table


def of_large(_):
    """Return the jobs of the appendix on a larger network."""
    table, (sizes, changes) = [], large_networks()
    for seed in SEEDS_OF_THE_CHOICE[:4]:
        table.append(Job("large", "large", 1, seed, sizes["large"], tested="end"))
    for number, (step, program) in enumerate(changes.items(), start=1):
        for seed in SEEDS:
            table.append(Job("ablation", step, number, seed, program))
    for number, step in enumerate(("one device", "two devices"), start=1):
        # Virtual devices: the processor does the work of all of them.
        flag = f"--xla_force_host_platform_device_count={number}"
        options = {"epochs": 10, "environment": {**JAX, "XLA_FLAGS": flag}}
        table.append(Job("devices", step, number, SEED, on_devices(), **options))
    return table


def of_transfer(_):
    """Return the jobs of the appendix on transfer."""
    call = "pretrain(SEED, callbacks)"
    table = [
        Job("transfer", "80 classes", 1, seed, transfer(call), weights=True)
        for seed in SEEDS
    ]
    for number, n in enumerate((5, 20, 100), start=2):
        program = transfer(f"from_scratch({n}, SEED, callbacks)")
        for seed in SEEDS:
            step = f"{n} images of each new class"
            table.append(Job("transfer", step, number, seed, program, tested="end"))
    return table


def of_benchmark(_):
    """Return the timed jobs of the appendix on speed."""
    table, (improving, choice) = [], recipes()
    timed, original = {"tested": "each", "timed": True}, contender("original")
    speed = {
        "original": (original, None),
        "bundle": (lecture(), None),
        "pytorch": (contender("pytorch"), None),
    }
    engines = {
        "TensorFlow": (lecture(), {"KERAS_BACKEND": "tensorflow"}),
        "JAX": (lecture(), JAX),
        "PyTorch": (lecture(), TORCH),
        "plain PyTorch": (contender("pytorch"), TORCH),
    }
    groups = {"speed": speed, "engines": engines}
    for (run, ways), turn in itertools.product(groups.items(), (1, 2)):
        for number, (way, (program, environment)) in enumerate(ways.items(), start=1):
            options = {"epochs": 3, "environment": environment, **timed}
            step = f"{way}, turn {turn}"
            table.append(Job(run, step, number, SEED, program, **options))
    sizes, _ = large_networks()
    for seed in SEEDS_OF_THE_CHOICE:
        table.append(Job("clock", "improved", 1, seed, improving[choice], **timed))
        table.append(Job("clock", "small", 2, seed, sizes["small"], **timed))
    table.append(Job("clock", "original", 3, SEED, original, epochs=30, **timed))
    # Another seed than those of the group "large": it is the fifth result.
    table.append(Job("clock", "large", 4, SEED + 5, sizes["large"], **timed))
    # The lecture's own code in the same run: five epochs tell the seconds of thirty.
    table.append(Job("pace", "bundle", 1, SEED, lecture(), epochs=5, **timed))
    return table


# The notebooks that some jobs need: a course may do without the others.
NEEDED = {
    of_the_lecture: ("02-model", "03-training"),
    of_r: ("lecture-in-r",),
    of_part_5: ("05-improving",),
    of_large: ("05-improving", "large", "benchmark"),
    of_transfer: ("05-improving", "transfer"),
    of_benchmark: ("02-model", "03-training", "05-improving", "large", "benchmark"),
}


def jobs(epochs=None):
    """Return all jobs of the notebooks that are there."""
    return [
        job
        for make, notebooks in NEEDED.items()
        if all((NOTEBOOKS / f"{name}.ipynb").exists() for name in notebooks)
        for job in make(epochs)
    ]

"""List the recorded trainings, or record what is missing of them.

python -m tools.recording                  what there is
python -m tools.recording improving large  record these groups
python -m tools.recording all              record everything
"""

import argparse
import json
import os
import re

from helpers import DataError
from helpers.export import MODULE, module_text
from helpers.runs import RUNS
from tools.common.provenance import changed_files
from tools.recording.engine import record, recorded
from tools.recording.jobs import jobs


def main():
    """Read the options and do what they say."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("group", nargs="*", help="what to record; all: everything")
    parser.add_argument("--epochs", type=int, help="at most so many, for a quick look")
    parser.add_argument(
        "--at-once", type=int, default=1, help="how many trainings run side by side"
    )
    parser.add_argument(
        "--draft",
        action="store_true",
        help="record although files differ from the last commit; pages refuse it",
    )
    options = parser.parse_args()
    for name, value in (("epochs", options.epochs), ("at-once", options.at_once)):
        if value is not None and value < 1:
            parser.error(f"--{name} {value}: expected 1 or more")
    refuse_old_module()
    table = jobs(options.epochs)
    groups = list(dict.fromkeys(job.group for job in table))
    unknown = set(options.group) - {*groups, "all"}
    if unknown:
        raise SystemExit(
            f"No group {', '.join(sorted(unknown))}: expected {', '.join(groups)}."
        )
    if not options.group:
        return list_groups(groups, table)
    refuse_changes(options.draft)
    chosen = groups if "all" in options.group else options.group
    if record([job for job in table if job.group in chosen], options.at_once):
        raise SystemExit(
            "Some trainings are not recorded; the same command tries again."
        )


def refuse_old_module():
    """Stop if a notebook has been changed since helpers/recipes.py was made of it."""
    if MODULE.read_text(encoding="utf-8") != module_text():
        raise SystemExit(
            "Not recorded: a notebook has changed since helpers/recipes.py was made of"
            " it, so the recorder would run the old code: run `make export` first."
        )


def list_groups(groups, table):
    """Print what is recorded of each group and from what, what is missing, and why."""
    for group in groups:
        of_group = [job for job in table if job.group == group]
        missing = [x for x in of_group if not recorded(x, RUNS / x.folder)]
        done = [job for job in of_group if job not in missing]
        unnamed = sum(not names_clean_commit(job) for job in done)
        source = f", {unnamed} of them from no clean commit" if unnamed else ""
        print(f"{group}: {len(done)} of {len(of_group)} trainings are recorded{source}")
        for job in missing:
            old = (RUNS / job.folder / "run.json").exists()
            why = "of other code, arguments or data" if old else "not there"
            print(f"    {job.folder}: {why}")


def names_clean_commit(job):
    """Return whether the record of a job names the commit that holds its code."""
    record = json.loads((RUNS / job.folder / "run.json").read_text(encoding="utf-8"))
    return re.fullmatch("[0-9a-f]{40}", record["commit"] or "") is not None


def refuse_changes(draft):
    """Stop if files differ from the last commit: a record would name no commit."""
    changed = changed_files()
    if changed is None:
        changed = ["(this copy has no history)"]
    if changed and not draft:
        shown = ", ".join(changed[:5]) + (", ..." if len(changed) > 5 else "")
        raise SystemExit(
            f"Not recorded: these files differ from the last commit: {shown}. Commit"
            " them, so that the records can name their code, or add --draft (with make:"
            " DRAFT=1) for records that pages and tests refuse."
        )


def run_as_program():
    """Do what the command line says; every known failure is one sentence."""
    os.environ["CIFAR100_STAND_IN"] = "never"
    try:
        main()
    except (DataError, OSError, ValueError) as error:
        raise SystemExit(f"Not recorded: {error}") from None
    except KeyboardInterrupt:
        raise SystemExit("Stopped; the same command goes on from here.") from None


if __name__ == "__main__":
    run_as_program()

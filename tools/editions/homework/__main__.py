"""The commands of graded homework; `--help` lists them."""

import argparse
import sys
from pathlib import Path

from tools.common.paths import ROOT
from tools.editions.homework import __doc__ as described
from tools.editions.homework.gradescope import gradescope
from tools.editions.homework.make import make


def parsed():
    parser = argparse.ArgumentParser(
        prog="python -m tools.editions.homework",
        description=described,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True)
    parts = sorted(path.stem for path in ROOT.glob("notebooks/0*.ipynb"))
    for name in ("make", "gradescope"):
        command = commands.add_parser(name)
        command.add_argument("parts", nargs="*", default=parts, metavar="PART")
    command = commands.add_parser("grade")
    command.add_argument("part")
    command.add_argument("submissions", nargs="+", type=Path)
    command.add_argument("--jobs", type=int, help="side by side (default: all cores)")
    command.add_argument("--student", help="pattern of a student's number")
    command.add_argument("--cell", type=float, help="seconds for a cell (300)")
    command.add_argument("--seconds", type=float, help="for a submission (1200)")
    command.add_argument("--gigabytes", type=float, help="of memory (8)")
    command.add_argument(
        "--unprotected",
        action="store_true",
        help="do not shut submissions off: they can do whatever you can do",
    )
    return parser.parse_args()


def main():
    given = parsed()
    if given.command == "make":
        for name in given.parts:
            make(name)
    elif given.command == "gradescope":
        for name in given.parts:
            gradescope(name)
    elif sys.platform == "win32":
        raise SystemExit("Not graded: grading needs Linux.")
    else:
        from tools.editions.homework.grade import grade
        from tools.editions.homework.sandbox import Limits

        chosen = {k: getattr(given, k) for k in Limits._fields if getattr(given, k)}
        grade(
            given.part,
            given.submissions,
            Limits(**chosen),
            jobs=given.jobs,
            student=given.student,
            protected=not given.unprotected,
        )


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        raise SystemExit("Stopped; the same command goes on.") from None

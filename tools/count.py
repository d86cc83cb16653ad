"""Print how large the repository is beside its limits, and fail where it has grown."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# What is counted in which files, and how much there may be.
LIMITS = {
    "lines of helpers": ("helpers/**/*.py", r"\n", 700),
    "lines of the recorder": ("tools/record.py", r"\n", 550),
    "lines of tests": ("tests/**/*.py", r"\n", 2600),
    "words in the README": ("README.md", r"\S+", 700),
    "commands of make": ("Makefile", r"(?m)^[a-z]+:.*## ", 12),
}

too_large = []
for what, (files, pattern, most) in LIMITS.items():
    texts = [path.read_text(encoding="utf-8") for path in ROOT.glob(files)]
    count = sum(len(re.findall(pattern, text)) for text in texts)
    print(f"{count:5,} {what}, at most {most:,}")
    if count > most:
        too_large.append(what)
if too_large:
    raise SystemExit(f"Too many {', '.join(too_large)}: delete some.")

"""Graded homework of the exercises: hand it out, and grade what comes back.

    python -m tools.editions.homework make 01-data
    python -m tools.editions.homework grade 01-data submissions/*.ipynb
    python -m tools.editions.homework gradescope 01-data

`make` writes the hand-out and, beside it, the right answers; `grade` runs each
submission shut off from them and compares what comes out; `gradescope` makes a zip
file for Gradescope with otter-grader. A submission is never imported, and none of its
code runs in the process that grades.
"""

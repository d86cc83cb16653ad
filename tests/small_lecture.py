"""A lecture of one small notebook with exercises, for tests of what is made of them."""

import os
import shutil

import nbformat
from conftest import ROOT, run
from nbformat.v4 import new_code_cell, new_markdown_cell

NAME = "01-small"
KERNEL = {"name": "python3", "display_name": "Python 3", "language": "python"}


def question(
    number, asked, solution, *, hidden=None, points=None, explained="So it is."
):
    """Return the cells of an exercise, in the form that all exercises have."""
    tags = ["exercise"] + ([f"points-{points}"] if points else [])
    cells = [
        new_markdown_cell(
            f"### Exercise {number}: a question\n\n<details><summary>Hint</summary>\n\n"
            "Think.\n\n</details>",
            metadata={"tags": ["exercise"]},
        ),
        new_code_cell(asked, metadata={"tags": tags}),
        new_markdown_cell(
            "#### Solution",
            metadata={"jp-MarkdownHeadingCollapsed": True, "tags": ["solution"]},
        ),
        new_markdown_cell(
            f"<details><summary>Show the solution</summary>\n\n{explained}",
            metadata={"tags": ["solution"]},
        ),
        new_code_cell(f"# solution\n{solution}", metadata={"tags": ["solution"]}),
    ]
    if hidden:
        cells.append(new_code_cell(hidden, metadata={"tags": ["solution"]}))
    cells.append(new_markdown_cell("</details>", metadata={"tags": ["solution"]}))
    return cells


def value(number, answer, call="", **options):
    """Return an exercise that asks for a value."""
    asked = f'answer_{number} = None\ncheck(answer_{number}, "{NAME}/{number}"{call})'
    return question(number, asked, f"answer_{number} = {answer}", **options)


def notebook(*exercises):
    """Return a notebook of exercises, with a heading that ends the last one."""
    cells = [
        nbformat.v4.new_raw_cell('---\ntitle: "A small part"\n---'),
        new_code_cell("import json\n\nfrom helpers import check"),
        new_markdown_cell(
            "![A picture](../images/card.png), [the next](02-model.ipynb)"
        ),
    ]
    for exercise in exercises:
        cells.extend(exercise)
    cells.append(new_markdown_cell("## Where to go next"))
    return nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": KERNEL})


def lecture(root, made, *folders):
    """Make a lecture in a folder, and execute its one notebook."""
    for folder in ("helpers", "tools", *folders):
        ignore = shutil.ignore_patterns("__pycache__", "answers.json")
        shutil.copytree(ROOT / folder, root / folder, ignore=ignore)
    for folder in ("notebooks", "runs"):
        (root / folder).mkdir()
    shutil.copy(ROOT / "runs" / "notebooks.csv", root / "runs")
    shutil.copy(ROOT / "_quarto.yml", root)
    nbformat.write(made, root / "notebooks" / f"{NAME}.ipynb")
    status, said = tool(root, "notebooks.execute", f"notebooks/{NAME}.ipynb")
    assert status == 0, said
    return root


def environment(root):
    """Return an environment in which the tools are those of a lecture's own folder."""
    return os.environ | {"PYTHONPATH": str(root)}


def tool(root, name, *arguments):
    """Run a tool of a lecture; return its status, and what it said."""
    return run("-m", f"tools.{name}", *arguments, cwd=root, env=environment(root))

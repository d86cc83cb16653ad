"""List the numbers in the prose of the notebooks that none of their outputs shows.

This is a report for whoever has changed the network or the data: what it lists is not
wrong, it only comes from elsewhere, and a person has to look at it. Whole numbers below
twenty and years are passed over.
"""

import re

import nbformat

from helpers.export import NOTEBOOKS

NUMBER = re.compile(r"(?<![\w.,$#/-])(\d[\d,]*(?:\.\d+)?)(?![\w/])")
# Addresses, formulas' exponents, attributes, names of files and code.
NO_PROSE = re.compile(r"\]\([^)]*\)|https?://\S+|`[^`]*`|<[^>]*>|\{[^}]*\}")


def value(text):
    """Return a number without its separators, and how many decimals it has."""
    plain = text.strip(",").replace(",", "")
    return float(plain), len(plain.partition(".")[2])


def shown_by(notebook):
    """Return all numbers in the code and the outputs of a notebook."""
    texts = []
    for cell in notebook.cells:
        if cell.cell_type == "code":
            texts.append(cell.source)
            for output in cell.outputs:
                texts.append(output.get("text", ""))
                texts.append(output.get("data", {}).get("text/plain", ""))
    return {value(found)[0] for text in texts for found in NUMBER.findall(text)}


def is_shown(number, decimals, shown):
    """Return whether a number is shown, as it is, rounded, or as a share."""
    half = 0.5 / 10**decimals + 1e-9
    return any(
        abs(other - number) <= half or abs(100 * other - number) <= half
        for other in shown
    )


def stale(notebook):
    """Yield the first words of a cell and each number in it that nothing shows."""
    shown = shown_by(notebook)
    for cell in notebook.cells:
        if cell.cell_type != "markdown":
            continue
        for line in cell.source.splitlines():
            for found in NUMBER.findall(NO_PROSE.sub(" ", line)):
                number, decimals = value(found)
                small = decimals == 0 and (number < 20 or 1900 < number < 2100)
                if not small and not is_shown(number, decimals, shown):
                    yield line, found


def main():
    """Print the report."""
    for path in sorted(NOTEBOOKS.glob("*.ipynb")):
        for line, found in stale(nbformat.read(path, as_version=4)):
            print(f"{path.name}: {found}: {line.strip()[:80]}")


if __name__ == "__main__":
    main()

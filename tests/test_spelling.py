import subprocess
import sys

from conftest import ROOT


def test_prose_has_no_misspelt_words(notebooks, tmp_path):
    prose = {
        path.name: path.read_text(encoding="utf-8")
        for path in [*ROOT.glob("*.md"), *ROOT.glob("**/*.qmd")]
        if not {".venv", "_student"}.intersection(path.parts)
    }
    for name, notebook in notebooks.items():
        texts = [c.source for c in notebook.cells if c.cell_type == "markdown"]
        prose[name] = "\n".join(texts)
    assert len(prose) >= 12
    for name, text in prose.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    command = [sys.executable, "-m", "codespell_lib", "--count", str(tmp_path)]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout


def test_a_misspelt_word_is_found(tmp_path):
    (tmp_path / "text.md").write_text("A convolution slides teh filter.\n")
    command = [sys.executable, "-m", "codespell_lib", str(tmp_path)]
    assert subprocess.run(command, capture_output=True).returncode != 0

"""The programs of the page "From this lecture to yours", on a few drawn pictures."""

import importlib.util
import os
import re
import subprocess

import numpy as np
import pytest
from conftest import ROOT, run
from PIL import Image

COLOURS = {"oak": (40, 120, 40), "maple": (200, 60, 30)}


def programs():
    text = (ROOT / "pages" / "yours.qmd").read_text(encoding="utf-8")
    return dict(re.findall(r"^### (\w+)\n```\w+\n(.*?)^```$", text, re.M | re.S))


@pytest.fixture
def pictures(tmp_path):
    rng = np.random.default_rng(425)
    for name, colour in COLOURS.items():
        (tmp_path / "images" / name).mkdir(parents=True)
        for n in range(10):
            noise = rng.integers(-30, 31, size=(48, 40, 3))
            pixels = np.clip(np.array(colour) + noise, 0, 255).astype("uint8")
            Image.fromarray(pixels).save(tmp_path / "images" / name / f"{n}.jpg")
    Image.fromarray(pixels).save(tmp_path / "photo.jpg")
    return tmp_path


@pytest.mark.parametrize("language", ["Keras", "PyTorch"])
def test_program_trains_on_folders_of_pictures(language, pictures):
    if language == "PyTorch" and importlib.util.find_spec("torch") is None:
        pytest.skip("PyTorch is not at hand: its program is not run")
    program = programs()[language]
    assert program.count("epochs, size = 30,") == 1
    file = pictures / "program.py"
    file.write_text(program.replace("epochs, size = 30,", "epochs, size = 2,"), "utf-8")
    quiet = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONIOENCODING": "utf-8"}
    status, said = run(file, cwd=pictures, env=quiet)
    assert status == 0, said
    name, probability = said.strip().splitlines()[-1].split()
    assert name in COLOURS
    assert 0.5 <= float(probability) <= 1


def test_program_in_r_trains_on_folders_of_pictures(with_r, pictures):
    program = programs()["R"]
    assert program.count("epochs <- 30") == 1
    file = pictures / "program.R"
    file.write_text(program.replace("epochs <- 30", "epochs <- 2"), "utf-8")
    command = ["Rscript", file]
    done = subprocess.run(
        command, cwd=pictures, capture_output=True, text=True, encoding="utf-8"
    )
    assert done.returncode == 0, done.stderr
    name, probability = done.stdout.strip().splitlines()[-1].split()
    assert name in COLOURS
    assert 0.5 <= float(probability) <= 1


def test_all_three_have_the_same_layers():
    for language, program in programs().items():
        lower = program.lower()
        assert "32, 64, 128, 256" in program, language
        for words in ("512", "0.5", "rmsprop", "0.2", "425", "photo.jpg"):
            assert words in lower, (language, words)
    assert [*programs()] == ["Keras", "PyTorch", "R"]

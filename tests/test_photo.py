"""A photo of one's own: of any size and kind, or one sentence."""

import logging
import os
import subprocess
import sys
import textwrap

import numpy as np
import pytest
from conftest import ROOT
from PIL import Image

from helpers.photo import PhotoError, load_photo

RED, GREEN, BLUE = (200, 30, 30), (30, 160, 40), (40, 60, 220)


@pytest.fixture(autouse=True)
def beside_the_notebook(tmp_path, monkeypatch):
    """The current folder is that of the notebook, and holds what a test puts there."""
    monkeypatch.chdir(tmp_path)


def halves(size=(600, 400), left=RED, right=BLUE, mode="RGB"):
    """Return a picture of two halves, side by side."""
    picture = Image.new(mode, size, left)
    picture.paste(right, (size[0] // 2, 0, *size))
    return picture


def near(pixel, colour, tolerance=12):
    return np.abs(pixel.astype(int) - colour).max() <= tolerance


def test_the_centre_is_shrunk_and_the_whole_is_shown():
    wide = Image.new(
        "RGB", (900, 300), GREEN
    )  # green, but for the square in the middle
    wide.paste(halves((300, 300)), (300, 0))
    wide.save("wide.png")
    image, preview = load_photo("wide.png")
    assert image.shape == (32, 32, 3) and image.dtype == np.uint8
    assert near(image[:, 0], RED) and near(image[:, -1], BLUE)
    assert preview.shape == (171, 512, 3) and preview.dtype == np.uint8
    assert near(preview[0, 0], GREEN) and near(preview[0, -1], GREEN)


def test_pixels_are_averaged_not_picked():
    """Every second column is white: a network must see grey, not stripes."""
    stripes = np.zeros((640, 640, 3), np.uint8)
    stripes[:, ::2] = 255
    Image.fromarray(stripes).save("stripes.png")
    image, _ = load_photo("stripes.png")
    assert (np.abs(image.astype(int) - 128) <= 1).all()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP", "PPM"])
def test_usual_kinds_of_pictures(kind):
    halves().save("some", kind)
    image, preview = load_photo("some")
    assert near(image[5, 5], RED, 40) and near(image[5, -5], BLUE, 40)
    assert preview.shape == (341, 512, 3)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK", "YCbCr", "LAB"])
def test_other_modes_of_pixels(mode):
    name = {"CMYK": "x.jpg", "YCbCr": "x.jpg", "LAB": "x.tif"}.get(mode, "x.png")
    halves(left=(0, 0, 0), right=(255, 255, 255)).convert(
        "RGB" if mode in ("LAB", "CMYK") else mode
    ).save("plain.png" if mode in ("LAB", "CMYK") else name)
    if mode in ("LAB", "CMYK"):
        picture = Image.open("plain.png")
        if mode == "LAB":
            lab = Image.new("LAB", picture.size, (0, 128, 128))
            lab.paste((255, 128, 128), (300, 0, 600, 400))
            lab.save(name)
        else:
            picture.convert("CMYK").save(name)
    image, _ = load_photo(name)
    assert image.shape == (32, 32, 3)
    assert image[:, :8].max() < 60 and image[:, -8:].min() > 195


def test_grey_networks_get_one_channel():
    halves((20, 8)).save("some.png")
    image, preview = load_photo("some.png", 8, 1)
    assert image.shape == (8, 8, 1) and preview.shape == (8, 20, 1)


def test_small_pictures_are_not_enlarged_to_be_shown():
    Image.new("RGB", (3, 5), RED).save("small.png")
    image, preview = load_photo("small.png")
    assert image.shape == (32, 32, 3) and preview.shape == (5, 3, 3)
    assert near(image[0, 0], RED)


@pytest.mark.parametrize("size", [(1, 1), (5000, 1), (1, 5000), (7000, 40)])
def test_extreme_shapes(size):
    Image.new("RGB", size, GREEN).save("line.png")
    image, preview = load_photo("line.png")
    assert image.shape == (32, 32, 3) and near(image[16, 16], GREEN)
    assert 1 <= min(preview.shape[:2]) and max(preview.shape[:2]) <= 512


@pytest.mark.parametrize("kind", ["uint16", "float32", "int32"])
def test_deep_grey_is_scaled_to_its_range_and_says_so(kind, caplog):
    """Clipped to 0 to 255, a 16-bit picture would be white, and a float one black."""
    ramp = np.linspace(0, 1, 256)[None].repeat(256, axis=0)
    values = {
        "uint16": (1000 + 40_000 * ramp).astype("<u2"),
        "float32": (0.25 + 0.5 * ramp).astype("f4"),
        "int32": (70_000 * ramp - 9).astype("i4"),
    }[kind]
    name = "deep.png" if kind == "uint16" else "deep.tif"
    Image.fromarray(values).save(name)
    image, preview = load_photo(name)
    assert image[:, 0].max() < 8 and image[:, -1].min() > 247
    assert abs(int(image[16, 16, 0]) - 128) < 8
    assert preview[0, 0, 0] == 0 and preview[0, -1, 0] == 255
    (said,) = caplog.messages
    assert f"{name} has grey values from" in said and "not from 0 to 255" in said


def test_floats_that_are_no_numbers(caplog):
    values = np.linspace(0, 1, 64 * 64, dtype="f4").reshape(64, 64)
    values[0, 0], values[0, 1], values[0, 2] = np.nan, np.inf, -np.inf
    Image.fromarray(values).save("holes.tif")
    image, _ = load_photo("holes.tif")
    assert image[-1, -1, 0] > 245 and image[0, 16, 0] < 20


def test_one_grey_value_alone():
    Image.fromarray(np.full((40, 40), 5000, "<u2")).save("flat.png")
    image, _ = load_photo("flat.png")
    assert (image == 0).all()


def test_transparent_parts_are_white():
    """Also where the colour below is black, and in a palette."""
    clear = halves((64, 64), (0, 0, 0, 0), (*BLUE, 255), "RGBA")
    clear.save("clear.png")
    palette = halves((64, 64), 0, 1, "P")
    palette.putpalette([0, 0, 0, *BLUE])
    palette.save("palette.png", transparency=0)
    for name in ("clear.png", "palette.png"):
        image, preview = load_photo(name)
        assert near(image[5, 5], (255, 255, 255)) and near(preview[5, 5], (255,) * 3)
        assert near(image[5, -5], BLUE), name
    grey = halves((64, 64), (0, 0), (90, 255), "LA")
    grey.save("grey.png")
    image, _ = load_photo("grey.png")
    assert near(image[5, 5], (255, 255, 255)) and near(image[5, -5], (90, 90, 90))


def test_photo_is_turned_upright():
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held on its side: what is left is above
    halves((600, 400)).save("turned.jpg", exif=exif, quality=95)
    image, preview = load_photo("turned.jpg")
    assert preview.shape == (512, 341, 3)
    for picture in (image, preview):
        assert near(picture[2, 2], RED, 40) and near(picture[-3, 2], BLUE, 40)


def test_a_picture_in_memory():
    image, preview = load_photo(halves())
    assert near(image[5, 5], RED) and preview.shape == (341, 512, 3)


MANY = 20_000 * 20_000


def faulty(name):
    """Make a file that is no usable picture; return its name."""
    match name:
        case "photo.heic":
            content = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(500)
        case "text.png":
            content = "Grüße, kein Bild.\n".encode() * 200
        case "empty.jpg":
            content = b""
        case "noise.jpg":
            content = np.random.default_rng(1).bytes(5000)
        case _:
            halves((2000, 1500)).save("whole.jpg")
            halves((2000, 1500)).save("whole.png")
            with open("whole." + name[-3:], "rb") as file:
                content = file.read()
            if name.startswith("cut"):
                content = content[: len(content) // 2]
            elif name.startswith("start"):
                content = content[:30]
            else:
                middle = len(content) // 2
                content = content[:middle] + b"\xff" * 99 + content[middle + 99 :]
    with open(name, "wb") as file:
        file.write(content)
    return name


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("photo.heic", "is a HEIC photo, .*: save it as JPEG or PNG"),
        ("text.png", "is a text, whatever its name says: .* save it as JPEG or PNG"),
        ("empty.jpg", "is empty: copy"),
        ("noise.jpg", "is no picture of a kind that can be read here: open it in"),
        ("cut.jpg", "is damaged or incomplete .*: copy it again"),
        ("cut.png", "is damaged or incomplete .*: copy it again"),
        ("start.jpg", "(is damaged|is no picture).*: "),
        ("start.png", "(is damaged|is no picture).*: "),
        ("changed.png", "is damaged or incomplete .*: copy it again"),
    ],
)
def test_what_is_no_picture_is_one_sentence(name, sentence):
    with pytest.raises(PhotoError, match=sentence) as caught:
        load_photo(faulty(name))
    assert name in str(caught.value) and "\n" not in str(caught.value)


def test_what_is_not_there_is_one_sentence(tmp_path):
    halves().save("my dog.JPG")
    (tmp_path / "folder").mkdir()
    for name, sentence in {
        "holiday.jpg": r"no file holiday\.jpg in .*beside the notebook.*my dog\.JPG",
        "elsewhere/holiday.jpg": r"no file holiday\.jpg in .*elsewhere: put",
        "folder": "folder is a folder, expected a picture",
        "": "is a folder, expected a picture",
        "https://example.org/dog.jpg": "is an address, expected the name of a file",
    }.items():
        with pytest.raises(PhotoError, match=sentence):
            load_photo(name)
    for thing in (None, 5, b"dog.jpg"):
        with pytest.raises(
            PhotoError, match="expected the name of a file in quotation"
        ):
            load_photo(thing)
    for size in (0, -1, 2.5, 10_000):
        with pytest.raises(PhotoError, match="expected a whole number of pixels"):
            load_photo("my dog.JPG", size)


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX's pipes")
def test_a_pipe_is_not_waited_for():
    os.mkfifo("pipe.jpg")
    with pytest.raises(PhotoError, match="is not a file"):
        load_photo("pipe.jpg")


def test_notebook_shows_the_sentence_alone():
    from IPython.core.interactiveshell import InteractiveShell
    from IPython.utils.capture import capture_output

    with capture_output() as said:
        InteractiveShell().run_cell(
            'from helpers.photo import load_photo; load_photo("no.jpg")'
        )
    lines = (said.stdout + said.stderr).strip().splitlines()
    assert len(lines) == 1 and lines[0].startswith(
        "PhotoError: There is no file no.jpg"
    )


LARGE = """
import re, sys
from pathlib import Path
from helpers.photo import load_photo

def peak():  # of this program alone; getrusage counts what its parent held, too
    return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])

before = peak()
image, preview = load_photo(sys.argv[1])
assert image.shape == (32, 32, 3) and max(preview.shape) == 512
print((peak() - before) // 1024)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="counts in kB there")
@pytest.mark.parametrize(
    ("name", "mode", "megabytes"),
    [
        ("phone.jpg", "RGB", 100),
        ("phone.png", "RGB", 350),
        ("clear.png", "RGBA", 550),
        ("palette.png", "P", 550),
        ("deep.png", "I;16", 350),
    ],
)
def test_memory_for_a_photo_of_48_megapixels(name, mode, megabytes):
    """A kernel with TensorFlow takes 1.4 GB; 2 GB must do."""
    options = {"compress_level": 1} if name.endswith("png") else {}
    Image.new(mode, (8000, 6000), 90).save(name, **options)
    program = [sys.executable, "-c", textwrap.dedent(LARGE), name]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(program, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) <= megabytes


def test_picture_that_does_not_fit_is_refused_before_it_is_read():
    """A few kilobytes may hold 400 million pixels."""
    Image.new("1", (20_000, 20_000)).save("bomb.png")
    assert os.path.getsize("bomb.png") < 100_000
    with pytest.raises(PhotoError, match=r"20000 x 20000 pixels.*save a smaller copy"):
        load_photo("bomb.png")
    assert Image.MAX_IMAGE_PIXELS, "the limit for others is as it was"


def test_nothing_is_said_of_an_ordinary_photo(caplog):
    halves().save("some.jpg")
    with caplog.at_level(logging.INFO):
        load_photo("some.jpg")
    assert not caplog.messages

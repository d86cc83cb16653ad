"""A photo of the reader's own, of any size and kind, as the network gets it."""

import contextlib
import logging
import os
import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

# What Pillow reads by itself. Of other kinds, such as EPS, it starts other programs.
FORMATS = """AVIF BMP DIB GIF ICO JPEG JPEG2000 PCX PNG PPM SGI TGA TIFF
WEBP""".split()
ENDINGS = (".avif", ".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")
HEIC = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
DEEP = ("I", "I;16", "F")  # grey values beyond 0 to 255
ORIENTATION = 0x0112  # the tag in which a camera notes how it was held
LARGEST_PREVIEW = 512  # pixels on the longer side
ROOM = 600e6  # bytes: what a picture may take in memory on the way
log = logging.getLogger(__name__)


class PhotoError(Exception):
    """A photo cannot be used; the message says what is wrong and what to do."""

    def _render_traceback_(self):
        """Let a notebook show the sentence alone."""
        return [f"{type(self).__name__}: {self}"]


def load_photo(photo, size=32, channels=3):
    """Return a photo as the network gets it, and a small version to look at.

    Parameters
    ----------
    photo : path-like or PIL.Image.Image
        The name of a file. A name without a folder belongs to a file beside the
        notebook. Nearly all kinds of pictures will do: JPEG, PNG, TIFF, WebP, ...
    size : int, default 32
        Width and height in pixels of the images that the network was trained on.
    channels : int, default 3
        3 for colour, 1 for grey.

    Returns
    -------
    image : numpy.ndarray
        uint8 of shape (size, size, channels): the largest square around the centre, in
        which each pixel is the average of those that it replaces.
    preview : numpy.ndarray
        uint8 of shape (height, width, channels): the whole photo, upright, with at most
        512 pixels on its longer side.

    Raises
    ------
    PhotoError
        If there is no such file, or it is no picture, or it is damaged or too large.

    Notes
    -----
    What is transparent becomes white. Grey values of 16 bits and floats have no fixed
    range: the smallest becomes black and the largest white, and a message says so.

    Examples
    --------
    >>> image, preview = load_photo("holiday.jpg")  # doctest: +SKIP
    >>> model.predict(image[np.newaxis])            # doctest: +SKIP
    """
    if not isinstance(size, int) or not 1 <= size <= 4096 or channels not in (1, 3):
        raise PhotoError(
            f"size={size!r} and channels={channels!r} were given, expected a whole"
            " number of pixels from 1 to 4096, and 1 or 3 channels."
        )
    if isinstance(photo, Image.Image):
        return _shrink(photo, "the picture", size, channels)
    path = _find(photo)
    with _open(path) as opened:
        _check_room(opened, path)
        try:
            _read(opened, size)
            return _shrink(opened, path.name, size, channels)
        except MemoryError:
            raise PhotoError(_too_large(opened, path)) from None
        except Exception as error:  # each decoder stumbles in its own way
            raise PhotoError(
                f"{path} is damaged or incomplete ({error}): copy it again, or open it"
                " in another program and save it as JPEG or PNG."
            ) from None


def _find(photo):
    """Return the path of a file that is there; say where it belongs if it is not."""
    if not isinstance(photo, str | os.PathLike):
        raise PhotoError(
            f"{photo!r} was given, expected the name of a file in quotation marks, such"
            ' as "holiday.jpg".'
        )
    if isinstance(photo, str) and photo.startswith(("http://", "https://", "data:")):
        raise PhotoError(
            f"{photo[:60]} is an address, expected the name of a file: download the"
            f" picture into {Path.cwd()} and give its name."
        )
    path = Path(os.path.expanduser(photo))
    if path.is_dir():
        raise PhotoError(f"{path} is a folder, expected a picture{_pictures_in(path)}.")
    if not path.exists():
        folder = path.absolute().parent
        raise PhotoError(
            f"There is no file {path.name} in {folder}: put the picture beside the"
            f" notebook, in {Path.cwd()}, and give its name"
            f"{_pictures_in(Path.cwd())}."
        )
    if not path.is_file():
        raise PhotoError(f"{path} is not a file, expected a picture: name another one.")
    return path


def _pictures_in(folder):
    """Return the names of some pictures in a folder, to end a sentence with."""
    try:
        names = [p.name for p in folder.iterdir() if p.suffix.lower() in ENDINGS]
    except OSError:
        names = []
    if not names:
        return ""
    return f" (there are {', '.join(sorted(names)[:5])})"


@contextlib.contextmanager
def _open(path):
    """Open a picture without reading its pixels, however large it is."""
    limit = Image.MAX_IMAGE_PIXELS
    try:
        Image.MAX_IMAGE_PIXELS = None  # _check_room knows what fits
        Image.init()
        known = [name for name in FORMATS if name in Image.OPEN]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of Pillow, on tags that nobody needs
            opened = Image.open(path, formats=known)
    except UnidentifiedImageError:
        raise PhotoError(_not_a_picture(path)) from None
    except Exception as error:
        if getattr(error, "strerror", None):  # the system said no, not the decoder
            raise PhotoError(
                f"{path} cannot be read ({error.strerror}): allow it, or copy the"
                f" picture to {Path.cwd()}."
            ) from None
        raise PhotoError(
            f"{path} is damaged ({error}): copy it again, or save it as JPEG or PNG."
        ) from None
    finally:
        Image.MAX_IMAGE_PIXELS = limit
    with opened:
        yield opened


def _not_a_picture(path):
    """Return a sentence on a file that Pillow does not know."""
    with open(path, "rb") as file:
        start = file.read(2048)
    if not start:
        return f"{path} is empty: copy the picture again."
    if start[4:8] == b"ftyp" and start[8:12] in HEIC:
        return (
            f"{path} is a HEIC photo, which cannot be read here: save it as JPEG or PNG"
            " (on an iPhone, choose Settings, Camera, Formats, Most Compatible before"
            " you take it, or mail the photo to yourself)."
        )
    what = "no picture of a kind that can be read here"
    if b"\0" not in start:
        with contextlib.suppress(UnicodeDecodeError):
            start[:-4].decode("utf-8")
            what = "a text, whatever its name says"
    return f"{path} is {what}: open it in another program and save it as JPEG or PNG."


def _check_room(opened, path):
    """Stop before a picture that does not fit into memory is read.

    The bytes for each pixel are as measured, with Pillow 13, and rounded up.
    """
    if opened.format in {"JPEG", "MPO"}:
        # A JPEG is shrunk while it is read, but a progressive one is kept as a whole.
        each = 6 if "progressive" in opened.info else 0.1
    elif opened.format in ("AVIF", "JPEG2000", "WEBP"):
        each = 16  # their decoders work on copies
    elif opened.mode.startswith(DEEP):
        each = 12
    elif opened.mode in ("LA", "P", "PA", "RGBA") or "transparency" in opened.info:
        each = 9  # what is transparent is weighed, in a copy
    else:
        each = 5
    pixels = opened.width * opened.height
    if pixels * each > ROOM:
        raise PhotoError(_too_large(opened, path))


def _too_large(opened, path):
    return (
        f"{path} has {opened.width} x {opened.height} pixels, which need more memory"
        " than there is for it: save a smaller copy, of 4000 pixels or fewer on each"
        " side."
    )


def _preview_size(width, height):
    """Return the size of the preview: a small picture stays as it is."""
    scale = min(1, LARGEST_PREVIEW / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))


def _read(opened, size):
    """Read the pixels; of a JPEG, fewer of them where that is enough."""
    needed = [max(side, 4 * size) for side in _preview_size(*opened.size)]
    opened.draft(None, needed)
    opened.load()


def _shrink(photo, name, size, channels):
    """Return the centre as the network gets it, and the whole as a preview."""
    photo = _plain(photo)
    black, white = 0, 255
    if photo.mode in DEEP:
        photo, black, white = _range(photo, name)
    side = min(photo.size)
    left, top = (photo.width - side) // 2, (photo.height - side) // 2
    centre = (left, top, left + side, top + side)
    image = photo.resize((size, size), Image.Resampling.BOX, box=centre)
    preview = photo.resize(_preview_size(*photo.size), Image.Resampling.BOX)
    orientation = photo.getexif().get(ORIENTATION, 1)
    made = []
    for small in (image, preview):
        if small.mode in DEEP:
            grey = (np.asarray(small, np.float64) - black) / (white - black)
            small = Image.fromarray((255 * grey.clip(0, 1)).round().astype(np.uint8))
        small = _upright(_on_white(small), orientation)
        pixels = np.asarray(small.convert("RGB" if channels == 3 else "L"))
        made.append(pixels.reshape(*pixels.shape[:2], channels))
    return tuple(made)


def _plain(photo):
    """Return a picture in a mode in which pixels can be averaged."""
    if photo.mode in {"P", "PA"} or "transparency" in photo.info:
        seen_through = photo.mode == "PA" or "transparency" in photo.info
        return photo.convert("RGBA" if seen_through else "RGB")
    if photo.mode.startswith("I;") and photo.mode not in DEEP:
        return photo.convert("I")
    return photo.convert("L") if photo.mode == "1" else photo


def _range(photo, name):
    """Return a grey picture, and its values for black and white; say what they are."""
    values = np.asarray(photo)
    if photo.mode == "F" and not np.isfinite(values).all():
        known = values[np.isfinite(values)]
        lowest, highest = (known.min(), known.max()) if known.size else (0, 0)
        values = np.nan_to_num(values, nan=lowest, posinf=highest, neginf=lowest)
        photo = Image.fromarray(values)
    black, white = float(values.min()), float(values.max())
    log.warning(
        "%s has grey values from %g to %g, not from 0 to 255: the smallest is shown in"
        " black, the largest in white.",
        name,
        black,
        white,
    )
    return photo, black, white if white > black else black + 1


def _on_white(small):
    """Return a picture whose transparent parts are white."""
    if small.mode not in ("LA", "RGBA"):
        return small
    small = small.convert("RGBA")
    white = Image.new("RGBA", small.size, "white")
    return Image.alpha_composite(white, small)


def _upright(small, orientation):
    """Return a picture turned as the camera has noted that it was held."""
    small.getexif()[ORIENTATION] = orientation
    return ImageOps.exif_transpose(small)

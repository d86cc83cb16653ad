"""Draw images that stand in for CIFAR-100 where it cannot be had."""

import numpy as np

PATTERNS = ("checks", "rays", "rings", "stripes")
COLOURS = ("blue", "green", "orange", "pink", "white")
RGB = ((40, 90, 230), (40, 190, 70), (250, 150, 30), (240, 90, 190), (235, 235, 235))


def draw_stand_in(n_train, n_test):
    """Return labelled patterns in the shapes of CIFAR-100, the same on every call.

    A superclass is a pattern at one of five frequencies, a class is its colour. All
    else varies. Returned are two pairs of images (n, 32, 32, 3) and labels (n, 1), both
    of uint8, the names of 20 superclasses, and those of 100 classes, five each.
    """
    rng = np.random.default_rng(425)
    groups = [f"stand-in {pattern} {n}" for pattern in PATTERNS for n in range(1, 6)]
    classes = [f"{group} {colour}" for group in groups for colour in COLOURS]
    return _draw(n_train, rng), _draw(n_test, rng), groups, classes


def _draw(n, rng):
    labels = rng.permutation(np.arange(n) % 100).astype(np.uint8)
    images = np.empty((n, 32, 32, 3), np.uint8)
    for start in range(0, n, 1000):
        part = slice(start, start + 1000)
        images[part] = _patterns(labels[part], rng)
    return images, labels.reshape(-1, 1)


def _patterns(labels, rng):
    """Return one image for each label, as float32 of shape (n, 32, 32, 3)."""
    n = len(labels)
    kind, frequency = np.divmod(labels // 5, 5)
    frequency = np.pi * (1 + frequency[:, None, None].astype(np.float32))
    shift_x, shift_y, turn = rng.random((3, n, 1, 1), np.float32) * 0.6 - 0.3
    grid = np.linspace(-1, 1, 32, dtype=np.float32)
    across, down = grid[None, None, :] - shift_x, grid[None, :, None] - shift_y
    u = across * np.cos(turn) + down * np.sin(turn)
    v = down * np.cos(turn) - across * np.sin(turn)
    wave = np.empty((n, 32, 32), np.float32)
    for number, draw in enumerate((_checks, _rays, _rings, _stripes)):
        drawn = kind == number
        wave[drawn] = draw(u[drawn], v[drawn], frequency[drawn])
    light = 0.7 + 0.3 * rng.random((n, 1, 1, 1), np.float32)
    colour = np.array(RGB, np.float32)[labels % 5, None, None]
    noise = 60 * rng.random((n, 32, 32, 3), np.float32)
    return np.minimum(light * (wave[..., None] > 0) * colour + noise, 255)


def _checks(u, v, frequency):
    return np.sin(frequency * u) * np.sin(frequency * v)


def _rays(u, v, frequency):
    return np.sin((1 + frequency / np.pi) * np.arctan2(v, u))


def _rings(u, v, frequency):
    return np.sin(2 * frequency * np.hypot(u, v))


def _stripes(u, v, frequency):
    return np.sin(2 * frequency * u)

"""Write what the pages compute with: the network, its weights, images, measurements.

tools/pages/prepare.py calls this before the pages are rendered. It reads the run
`baseline` and the network's cell in notebook 2, so a run that is recorded anew changes
the page by itself.
"""

import hashlib
import json

import numpy as np

from helpers import (
    RunError,
    load_data,
    load_run,
    load_weights,
    quiet_start,
)
from helpers.data import SUPERCLASSES
from helpers.recipes import build_model
from helpers.runs import RUNS
from tools.clean import making
from tools.common.paths import ROOT

with quiet_start():
    from keras import layers

TARGET = ROOT / "pages" / "play" / "network"  # git ignores it
SAMPLES = 20
LIMIT = 2_000_000  # bytes of weights that a phone may be asked to load
POOLING = {
    layers.MaxPooling2D: "max",
    layers.AveragePooling2D: "mean",
    layers.GlobalMaxPooling2D: "max",
    layers.GlobalAveragePooling2D: "mean",
}


def before(layer, size, kernel, stride):
    """Return the rows and columns of padding above and left of the input."""
    if getattr(layer, "padding", "valid") == "valid":
        return [0, 0]
    return [
        max((-(-n // s) - 1) * s + k - n, 0) // 2
        for n, k, s in zip(size, kernel, stride, strict=True)
    ]


def describe(layer):
    """Return what the page has to know of a layer, and the arrays of its weights.

    The kinds are those of pages/play/network.js: conv, pool, dense, scale and same.
    """
    kind, arrays = type(layer), layer.get_weights()
    about = {"name": layer.name, "shape": list(layer.output.shape[1:])}
    activation = getattr(layer, "activation", None)
    about["activation"] = activation.__name__ if activation else "linear"
    size = layer.input.shape[1:3]
    if kind is layers.Conv2D and layer.groups == 1 and layer.dilation_rate == (1, 1):
        kernel, stride = layer.kernel_size, layer.strides
        padding = before(layer, size, kernel, stride)
        about |= {"kind": "conv", "kernel": kernel, "stride": stride}
        about["padding"] = padding
    elif kind in POOLING:
        kernel = getattr(layer, "pool_size", size)
        stride = getattr(layer, "strides", kernel)
        padding = before(layer, size, kernel, stride)
        about |= {"kind": "pool", "take": POOLING[kind], "kernel": kernel}
        about |= {"stride": stride, "padding": padding}
    elif kind is layers.Dense and len(layer.input.shape) == 2:
        about["kind"] = "dense"
    elif kind is layers.Rescaling:
        about |= {"kind": "scale", "scale": [layer.scale], "offset": [layer.offset]}
        arrays = []
    elif kind is layers.BatchNormalization:
        named = {v.name: np.array(v, float) for v in layer.variables}
        scale = named.get("gamma", 1) / np.sqrt(
            named["moving_variance"] + layer.epsilon
        )
        offset = named.get("beta", 0) - named["moving_mean"] * scale
        about |= {"kind": "scale", "scale": scale.tolist(), "offset": offset.tolist()}
        arrays = []
    elif kind in (layers.Dropout, layers.Flatten, layers.Activation):
        about["kind"] = "same"
    elif kind is layers.ReLU and (layer.negative_slope, layer.max_value) == (0, None):
        about |= {"kind": "same", "activation": "relu"}
    activation = about["activation"]
    if "kind" not in about or activation not in ("linear", "relu", "softmax"):
        raise RunError(
            f"the layer {layer.name} ({kind.__name__}, {activation}) has no"
            " counterpart in pages/play/network.js: add it there and in"
            " tools/pages/play.py."
        )
    return about, arrays


def pack(model):
    """Return the network as the page reads it, and its weights as bytes.

    A weight takes 16 bits: an integer times a scale that its array has in common. For
    the lecture's network that is nearer to Keras' probabilities than 16-bit floats
    are, 0.0003 instead of 0.0017, and every browser reads it.
    """
    described, parts, start = [], [], 0
    for layer in model.layers:
        about, arrays = describe(layer)
        about["weights"] = []
        for array in arrays:
            scale = float(np.abs(array).max()) / 32767 or 1.0
            kept = {"start": start, "shape": array.shape, "scale": scale}
            about["weights"].append(kept)
            parts.append(np.round(array / scale).astype("<i2").tobytes())
            start += array.size
        described.append(about)
    weights = b"".join(parts)
    if len(weights) > LIMIT:
        raise RunError(
            f"the weights of the network take {len(weights):,} bytes, expected at most"
            f" {LIMIT:,}: record a smaller network for the page."
        )
    network = {
        "input": list(model.input_shape[1:]),
        "layers": described,
        "sha256": hashlib.sha256(weights).hexdigest(),
        "bytes": len(weights),
    }
    return network, weights


def main():
    run = load_run("baseline")
    data = load_data(download=False)  # the stand-in has other names, not other shapes
    if data.image_shape != (32, 32, 3):
        raise RunError(
            f"{data.name} has images of shape {data.image_shape}, expected (32, 32, 3):"
            " leave the page out, as pages/adapt.qmd says."
        )
    shown = data.name != "stand-in data"
    model = build_model(data)
    load_weights(model, run)
    about, weights = pack(model)
    published = sorted(" ".join(SUPERCLASSES.values()).split())
    about["names"] = data.class_names if shown else published
    about["temperature"] = run.record.get("temperature")
    files = {"weights.bin": weights}
    about["samples"] = []
    if shown:
        images, labels = data.test
        files["samples.bin"] = images[:SAMPLES].tobytes()
        about["samples"] = labels[:SAMPLES, 0].tolist()
    measured = RUNS / "play.json"
    about["measured"] = json.loads(measured.read_text()) if measured.exists() else None
    files["network.json"] = json.dumps(about).encode()
    learning = RUNS / "learning.json"  # tools/pages/measure_learning.py
    files["learning.json"] = learning.read_bytes() if learning.exists() else b"null"
    with making("pages/play/network") as folder:
        for name, content in files.items():
            (folder / name).write_bytes(content)

"""Train a network one way, and print what it cost as one line of JSON.

Run by run.py, in a process of its own for each training.
"""

import argparse
import json
import math
import os
import resource
import sys
import time

os.environ["CIFAR100_STAND_IN"] = "never"

from helpers import load_cifar100, quiet_start, run_cells

BATCH_SIZE, HELD_OUT = 128, 10_000


class Clock:
    """Takes the time of each epoch, and the test accuracy in between, unclocked."""

    def __init__(self, test_accuracy):
        self.test_accuracy = test_accuracy
        self.seconds, self.test_accuracies = [], []
        self.start = time.perf_counter()

    def epoch_has_ended(self):
        self.seconds.append(time.perf_counter() - self.start)
        self.test_accuracies.append(self.test_accuracy())
        self.start = time.perf_counter()


def original(epochs, seed):
    """Train the lecture's recipe as the original's page writes it.

    Pixels are divided by 255 in NumPy, which makes them float64, and TensorFlow pauses
    between epochs as it does by itself.
    """
    with quiet_start():
        import keras
        import tensorflow as tf
        from keras import layers

    (x_train, y_train), (x_test, y_test) = load_cifar100()[:2]
    x_train, x_test = x_train / 255, x_test / 255
    y_train = keras.utils.to_categorical(y_train, 100)
    tick = clocked_callback(x_test, y_test)
    tf.data.experimental.AutotuneOptions.enabled = None  # undoes quiet_start
    keras.utils.set_random_seed(seed)
    model = keras.Sequential([keras.Input(shape=(32, 32, 3))])
    for filters in (32, 64, 128, 256):
        model.add(layers.Conv2D(filters, 3, padding="same", activation="relu"))
        model.add(layers.MaxPooling2D(2))
    model.add(layers.Flatten())
    model.add(layers.Dropout(0.5))
    model.add(layers.Dense(512, activation="relu"))
    model.add(layers.Dense(100, activation="softmax"))
    model.compile(
        loss="categorical_crossentropy", optimizer="rmsprop", metrics=["accuracy"]
    )
    model.fit(
        x_train,
        y_train,
        batch_size=BATCH_SIZE,
        epochs=epochs,
        validation_split=HELD_OUT / len(x_train),
        verbose=0,
        callbacks=[tick],
    )
    return tick.clock, model.count_params(), multiply_adds(model)


def bundle(epochs, seed):
    """Train by the cells of notebooks 2 and 3, which hold the seed."""
    tick = clocked_callback()
    names = run_cells("03-training.ipynb", "train", epochs=epochs, callbacks=[tick])
    if names["SEED"] != seed:
        raise SystemExit(f"Notebook 3 has the seed {names['SEED']}, not {seed}.")
    return tick.clock, names["model"].count_params(), multiply_adds(names["model"])


def improved(epochs, seed):
    """Train by the cells of notebook 5, which hold the number of epochs."""
    tick = clocked_callback()
    tags = "setup", "step", "train"
    names = run_cells("05-improving.ipynb", *tags, SEED=seed, callbacks=[tick])
    return tick.clock, names["model"].count_params(), multiply_adds(names["model"])


def large(epochs, seed):
    """Train the large network of notebook 5, which has the epochs, on all images."""
    tick = clocked_callback()
    names = run_cells("05-improving.ipynb", "setup", "large")
    model, _ = names["refit_large"](seed, [tick])
    return tick.clock, model.count_params(), multiply_adds(model)


def pytorch(epochs, seed):
    """Train the original's network, loss, batch and update in PyTorch.

    Initial values are drawn as Keras draws them, and RMSprop has Keras' settings.
    Images have their channels last, which is the faster way on processors.
    """
    import numpy as np
    import torch
    from torch import nn

    (x_train, y_train), (x_test, y_test) = load_cifar100()[:2]
    torch.manual_seed(seed)
    stages = []
    for before, after in ((3, 32), (32, 64), (64, 128), (128, 256)):
        stages += [nn.Conv2d(before, after, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
    head = [nn.Flatten(), nn.Dropout(0.5), nn.Linear(1024, 512), nn.ReLU()]
    model = nn.Sequential(*stages, *head, nn.Linear(512, 100))
    for layer in model:
        if hasattr(layer, "weight"):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)
    model = model.to(memory_format=torch.channels_last)
    loss_of = nn.CrossEntropyLoss()
    update = torch.optim.RMSprop(model.parameters(), lr=1e-3, alpha=0.9, eps=1e-7)
    rng = np.random.default_rng(seed)

    def batches(images, labels, order):
        for start in range(0, len(order), BATCH_SIZE):
            chosen = order[start : start + BATCH_SIZE]
            pixels = torch.from_numpy(images[chosen]).permute(0, 3, 1, 2)
            yield pixels.float() / 255, torch.from_numpy(labels[chosen, 0]).long()

    def accuracy(images, labels):
        model.eval()
        with torch.inference_mode():
            right = sum(
                int((model(pixels).argmax(1) == k).sum())
                for pixels, k in batches(images, labels, np.arange(len(images)))
            )
        return right / len(images)

    kept = len(x_train) - HELD_OUT
    clock = Clock(lambda: accuracy(x_test, y_test))
    for _ in range(epochs):
        model.train()
        for pixels, k in batches(x_train, y_train, rng.permutation(kept)):
            update.zero_grad()
            loss_of(model(pixels), k).backward()
            update.step()
        accuracy(x_train[kept:], y_train[kept:])  # validated, like the others
        clock.epoch_has_ended()
    parameters = sum(value.numel() for value in model.parameters())
    places = iter(size**2 for size in (32, 16, 8, 4))
    arithmetic = sum(
        layer.weight.numel() * (next(places) if isinstance(layer, nn.Conv2d) else 1)
        for layer in model
        if hasattr(layer, "weight")
    )
    return clock, parameters, arithmetic


def multiply_adds(model):
    """Return the multiply-adds of a forward pass of one image through a Keras model."""
    return sum(
        math.prod(layer.output.shape[1:-1]) * math.prod(layer.kernel.shape)
        for layer in model.layers
        if hasattr(layer, "kernel")
    )


def clocked_callback(x_test=None, y_test=None):
    """Return a Keras callback with a clock, for a model that takes images as bytes."""
    with quiet_start():
        import keras

    keras.config.disable_interactive_logging()
    if x_test is None:
        x_test, y_test = load_cifar100().test
    y_test = keras.utils.to_categorical(y_test, 100)

    class Tick(keras.callbacks.Callback):
        clock = Clock(lambda: tick.model.evaluate(x_test, y_test, verbose=0)[1])

        def on_train_begin(self, logs=None):
            self.clock.start = time.perf_counter()

        def on_epoch_end(self, epoch, logs=None):
            self.clock.epoch_has_ended()

    tick = Tick()
    return tick


CONTENDERS = {
    "original": original,
    "bundle": bundle,
    "pytorch": pytorch,
    "improved": improved,
    "large": large,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("contender", choices=CONTENDERS)
    parser.add_argument("--epochs", type=int, help="where the notebook has no number")
    parser.add_argument("--seed", type=int, default=425)
    arguments = parser.parse_args()
    clock, parameters, multiply_adds = CONTENDERS[arguments.contender](
        arguments.epochs, arguments.seed
    )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    result = {
        "seed": arguments.seed,
        "epoch_seconds": [round(s, 2) for s in clock.seconds],
        "test_accuracies": [round(a, 4) for a in clock.test_accuracies],
        "peak_bytes": peak * (1 if sys.platform == "darwin" else 1024),
        "parameters": parameters,
        "multiply_adds": multiply_adds,
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()

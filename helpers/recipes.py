"""Networks, recipes and trainings, as the notebooks define them.

Made from the cells tagged ``export`` in notebooks/, by ``make export``: change the
notebooks, not this file.
"""

import math
from dataclasses import replace

import numpy as np

from helpers.export import tell_if_older
from helpers.notebooks import quiet_start

with quiet_start():
    import keras
    from keras import layers, ops


# From notebooks/02-model.ipynb.


def build_model(data):
    return keras.Sequential(
        [
            keras.Input(shape=data.image_shape),
            layers.Rescaling(1 / 255),
            layers.Conv2D(32, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(2),
            layers.Conv2D(64, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(2),
            layers.Conv2D(128, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(2),
            layers.Conv2D(256, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(2),
            layers.Flatten(),
            layers.Dropout(0.5),
            layers.Dense(512, activation="relu"),
            layers.Dense(data.num_classes, activation="softmax"),
        ],
        name="cifar100_cnn",
    )


# From notebooks/03-training.ipynb.


def centred(images):
    return 4 * (images - np.float32(127.5))


def dense_network(data):
    return keras.Sequential(
        [
            keras.Input(shape=data.image_shape),
            layers.Rescaling(1 / 255),
            layers.Flatten(),
            layers.Dense(304, activation="relu"),
            layers.Dense(data.num_classes, activation="softmax"),
        ]
    )


def softmax_regression(data):
    return keras.Sequential(
        [
            keras.Input(shape=data.image_shape),
            layers.Rescaling(1 / 255),
            layers.Flatten(),
            layers.Dense(data.num_classes, activation="softmax"),
        ]
    )


def train_model(data, seed, epochs=30, callbacks=(), verbose=0):
    keras.utils.set_random_seed(seed)
    model = build_model(data)
    model.compile(
        loss="categorical_crossentropy",
        optimizer="rmsprop",
        metrics=["accuracy"],
    )
    x_train, y_train = data.train
    history = model.fit(
        x_train,
        keras.utils.to_categorical(y_train, data.num_classes),
        batch_size=128,
        epochs=epochs,
        validation_split=0.2,
        callbacks=list(callbacks),
        verbose=verbose,
    )
    return model, history


def without_dropout(data):
    kept = [
        layer
        for layer in build_model(data).layers
        if not isinstance(layer, layers.Dropout)
    ]
    return keras.Sequential(
        [keras.Input(shape=data.image_shape), *kept]
    )


NETWORKS = {
    "Convolutional network": build_model,
    "Without dropout": without_dropout,
    "Dense network": dense_network,
    "Softmax regression": softmax_regression,
}


class Inference(keras.callbacks.Callback):
    def __init__(self, images, labels):
        super().__init__()
        self.images, self.labels = images, labels

    def on_epoch_end(self, epoch, logs):
        loss, accuracy = self.model.evaluate(
            self.images, self.labels, verbose=0
        )
        logs["inference_loss"] = loss
        logs["inference_accuracy"] = accuracy


def train_on_few_images(
    data,
    seed,
    network,
    learning_rate,
    epochs=10,
    callbacks=(),
    verbose=0,
):
    images, labels = data.train
    labels = keras.utils.to_categorical(labels, data.num_classes)
    end = int(0.8 * len(images))  # the others are for validation
    x, y = centred(images[:end][:4000]), labels[:end][:4000]
    x_new, y_new = centred(images[end:][:2000]), labels[end:][:2000]
    keras.utils.set_random_seed(seed)
    model = NETWORKS[network](data)
    model.compile(
        loss="categorical_crossentropy",
        optimizer=keras.optimizers.RMSprop(learning_rate),
        metrics=["accuracy"],
    )
    history = model.fit(
        x,
        y,
        batch_size=32,
        epochs=epochs,
        validation_data=(x_new, y_new),
        callbacks=[Inference(x[:1000], y[:1000]), *callbacks],
        verbose=verbose,
    )
    return model, history


# From notebooks/04-testing.ipynb.


def soften(probabilities, temperature):
    powers = np.maximum(probabilities, 1e-30) ** (1 / temperature)
    return powers / powers.sum(axis=1, keepdims=True)


def fit_temperature(probabilities, labels):
    def loss(temperature):
        softened = soften(probabilities, temperature)
        return -np.log(softened[np.arange(len(labels)), labels]).mean()

    coarse = min(np.arange(0.5, 4, 0.1), key=loss)
    return min(np.arange(coarse - 0.1, coarse + 0.1, 0.01), key=loss)


# From notebooks/05-improving.ipynb.


T_QUANTILE = {
    2: 12.71,
    3: 4.30,
    4: 3.18,
    5: 2.78,
    6: 2.57,
    7: 2.45,
    8: 2.36,
    9: 2.31,
    10: 2.26,
}  # 97.5%, n - 1 degrees


def interval(differences):
    n = len(differences)
    error = differences.std() / math.sqrt(n)
    return differences.mean(), T_QUANTILE[n] * error


ORIGINAL = {
    "augmentation": [],
    "convolutions": [(32, 3, 1), (64, 3, 1), (128, 3, 1), (256, 3, 1)],
    "normalisation": None,
    "residual_blocks": 0,
    "shortcuts": True,
    "head": "dense",
    "optimizer": "RMSprop",
    "learning_rate": 0.001,
    "schedule": "constant",
    "batch_size": 128,
    "images": 10_000,
    "epochs": 2,
}


def normalised(x, momentum):
    if momentum is None:
        return x
    return layers.BatchNormalization(momentum=momentum)(x)


def block(x, filters, size, strides, momentum):
    x = layers.Conv2D(filters, size, strides=strides, padding="same")(x)
    x = layers.MaxPooling2D(2)(x)
    x = normalised(x, momentum)
    return layers.ReLU()(x)


def head(x, name):
    if name == "average":
        return layers.GlobalAveragePooling2D()(x)
    x = layers.Flatten()(x)
    x = layers.Dropout(0.5)(x)
    return layers.Dense(512, activation="relu")(x)


def augmentation(name):
    if name == "flips":
        return layers.RandomFlip("horizontal")
    return layers.RandomTranslation(
        2 / 32, 2 / 32, fill_mode="reflect", interpolation="nearest"
    )


def build_from(recipe, data):
    momentum = recipe["normalisation"]
    inputs = keras.Input(shape=data.image_shape)
    x = inputs
    for name in recipe["augmentation"]:
        x = augmentation(name)(x)
    x = layers.Rescaling(1 / 255)(x)
    for filters, size, strides in recipe["convolutions"]:
        x = block(x, filters, size, strides, momentum)
    for _ in range(recipe["residual_blocks"]):
        x = residual_block(x, momentum, recipe["shortcuts"])
    x = head(x, recipe["head"])
    outputs = layers.Dense(data.num_classes, activation="softmax")(x)
    return keras.Model(inputs, outputs)


def schedule(peak, steps):
    warmup = steps // 5
    return keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=peak / 10,
        warmup_target=peak,
        warmup_steps=warmup,
        decay_steps=steps - warmup,
    )


def optimizer_from(recipe, steps):
    rate = recipe["learning_rate"]
    if recipe["schedule"] == "warm-up and cosine":
        rate = schedule(rate, steps)
    if recipe["optimizer"] == "RMSprop":
        return keras.optimizers.RMSprop(rate)
    return keras.optimizers.SGD(rate, momentum=0.9, nesterov=True)


def train_recipe(data, seed, recipe, callbacks=(), verbose=0):
    x, y = data.train[0], keras.utils.to_categorical(data.train[1])
    kept = round(0.8 * len(x))  # the rest is for validation
    n = min(recipe["images"], kept)
    steps = recipe["epochs"] * math.ceil(n / recipe["batch_size"])
    keras.utils.set_random_seed(seed)
    model = build_from(recipe, data)
    model.compile(
        loss="categorical_crossentropy",
        optimizer=optimizer_from(recipe, steps),
        metrics=["accuracy"],
    )
    history = model.fit(
        x[:n],
        y[:n],
        batch_size=recipe["batch_size"],
        epochs=recipe["epochs"],
        validation_data=(x[kept:], y[kept:]),
        validation_freq=[recipe["epochs"]],  # once, at the end
        callbacks=list(callbacks),
        verbose=verbose,
    )
    return model, history


def multiply_adds(model):
    counted = {}
    for layer in model.layers:
        if hasattr(layer, "kernel"):
            positions = math.prod(layer.output.shape[1:-1])
            counted[layer.name] = positions * math.prod(
                layer.kernel.shape
            )
    return counted


CHEAPER = ORIGINAL | {
    "convolutions": [(32, 4, 2), (96, 3, 1), (192, 3, 1)],
    "head": "average",
    "epochs": 5,
    "learning_rate": 0.001,
}


SCHEDULED = CHEAPER | {
    "schedule": "warm-up and cosine",
    "learning_rate": 0.003,
}


NORMALISED = SCHEDULED | {
    "normalisation": 0.9,
    "learning_rate": 0.01,
}


FLIPPED = NORMALISED | {
    "augmentation": ["flips"],
    "learning_rate": 0.01,
}


MOMENTUM = NORMALISED | {
    "optimizer": "SGD",
    "learning_rate": 0.3,
}


def residual_block(x, momentum, shortcut):
    filters = x.shape[-1]
    change = layers.Conv2D(filters, 3, padding="same")(x)
    change = layers.ReLU()(normalised(change, momentum))
    change = layers.Conv2D(filters, 3, padding="same")(change)
    change = normalised(change, momentum)
    if shortcut:
        change = layers.Add()([x, change])
    return layers.ReLU()(change)


IMPROVED = NORMALISED | {"images": 40_000}


# From notebooks/benchmark.ipynb.


def original_network():
    model = keras.Sequential([keras.Input(shape=(32, 32, 3))])
    for filters in (32, 64, 128, 256):
        model.add(
            layers.Conv2D(filters, 3, padding="same", activation="relu")
        )
        model.add(layers.MaxPooling2D(2))
    model.add(layers.Flatten())
    model.add(layers.Dropout(0.5))
    model.add(layers.Dense(512, activation="relu"))
    model.add(layers.Dense(100, activation="softmax"))
    model.compile(
        loss="categorical_crossentropy",
        optimizer="rmsprop",
        metrics=["accuracy"],
    )
    return model


def train_original(data, seed, epochs=30, callbacks=(), verbose=0):
    import tensorflow as tf

    x_train, y_train = data.train
    x_train = x_train / 255
    y_train = keras.utils.to_categorical(y_train, num_classes=100)
    tf.data.experimental.AutotuneOptions.enabled = None
    keras.utils.set_random_seed(seed)
    model = original_network()
    history = model.fit(
        x_train,
        y_train,
        batch_size=128,
        epochs=epochs,
        validation_split=0.2,
        callbacks=list(callbacks),
        verbose=verbose,
    )
    return model, history


def rescaled_test_images(data):
    x_test, y_test = data.test
    return x_test / 255, y_test


def pytorch_network():
    from torch import channels_last, nn

    stages = []
    for before, after in ((3, 32), (32, 64), (64, 128), (128, 256)):
        convolution = nn.Conv2d(before, after, 3, padding=1)
        stages += [convolution, nn.ReLU(), nn.MaxPool2d(2)]
    dense = [nn.Linear(1024, 512), nn.ReLU(), nn.Linear(512, 100)]
    model = nn.Sequential(
        *stages, nn.Flatten(), nn.Dropout(0.5), *dense
    )
    for layer in model:
        if hasattr(layer, "weight"):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)
    return model.to(memory_format=channels_last)


def batches(images, labels, order):
    from torch import from_numpy

    for start in range(0, len(order), 128):
        chosen = order[start : start + 128]
        pixels = from_numpy(images[chosen]).permute(0, 3, 1, 2)
        yield pixels.float() / 255, from_numpy(labels[chosen, 0]).long()


def accuracy_of(model, images, labels):
    from torch import inference_mode

    model.eval()
    right, order = 0, np.arange(len(images))
    with inference_mode():
        for x, y in batches(images, labels, order):
            right += int((model(x).argmax(1) == y).sum())
    return right / len(images)


def train_in_pytorch(data, seed, epochs=30, callbacks=(), verbose=0):
    import torch

    x_train, y_train = data.train
    torch.manual_seed(seed)
    rng, kept, steps = np.random.default_rng(seed), 40_000, 0
    model = pytorch_network()
    loss_of = torch.nn.CrossEntropyLoss()
    settings = {"lr": 1e-3, "alpha": 0.9, "eps": 1e-7}
    optimizer = torch.optim.RMSprop(model.parameters(), **settings)
    told = keras.callbacks.CallbackList(list(callbacks), model=model)
    told.on_train_begin()
    for epoch in range(epochs):
        model.train()
        for x, y in batches(x_train, y_train, rng.permutation(kept)):
            told.on_train_batch_begin(steps)
            optimizer.zero_grad()
            loss_of(model(x), y).backward()
            optimizer.step()
            steps += 1
        held_out = accuracy_of(model, x_train[kept:], y_train[kept:])
        told.on_epoch_end(epoch, {"val_accuracy": held_out})
    told.on_train_end()
    return model, {"steps": steps}


# From notebooks/large.ipynb.


def augmentation_layers(flips, shifts):
    changes = []
    if flips:
        changes.append(layers.RandomFlip("horizontal"))
    if shifts:
        changes.append(
            layers.RandomTranslation(
                2.5 / 32, 2.5 / 32, "reflect", interpolation="nearest"
            )
        )
    return changes


def convolution(
    x, filters, size=3, strides=1, pool=False, unit_norm=True
):
    constraint = keras.constraints.UnitNorm(axis=[0, 1, 2])
    x = layers.Conv2D(
        filters,
        size,
        strides=strides,
        padding="same",
        use_bias=False,
        kernel_constraint=constraint if unit_norm else None,
    )(x)
    if pool:
        x = layers.MaxPooling2D(2)(x)
    x = layers.BatchNormalization(momentum=0.9)(x)
    return layers.ReLU()(x)


def build_staged(recipe, data):
    norm = recipe["unit_norm"]
    changes = augmentation_layers(recipe["flips"], recipe["shifts"])
    x = inputs = keras.Input(shape=data.image_shape)
    for layer in changes:
        x = layer(x)
    x = layers.Rescaling(1 / 127.5, offset=-1)(x)
    x = convolution(
        x, recipe["stem"], 4, 2, recipe["pool_stem"], unit_norm=norm
    )
    ends = []
    for first, *others in recipe["stages"]:
        x = convolution(x, first, pool=True, unit_norm=norm)
        for filters in others:
            x = convolution(x, filters, unit_norm=norm)
        ends.append(x)
    seen = ends[-2:] if recipe["two_stages"] else ends[-1:]
    x = [layers.GlobalAveragePooling2D()(end) for end in seen]
    x = layers.Concatenate()(x) if len(x) > 1 else x[0]
    outputs = layers.Dense(
        data.num_classes, activation="softmax", dtype="float32"
    )(x)
    return keras.Model(inputs, outputs)


def orthogonal(matrix, iterations=3):
    matrix = matrix / keras.ops.norm(matrix)
    for _ in range(iterations):
        gram = keras.ops.transpose(matrix) @ matrix
        change = 2.0315 * gram @ gram - 4.775 * gram
        matrix = 3.4445 * matrix + matrix @ change
    return matrix


def of_equal_length(matrix):
    columns = matrix.shape[-1]
    return math.sqrt(columns) * matrix / keras.ops.norm(matrix)


class Muon(keras.optimizers.SGD):
    def __init__(
        self, learning_rate, filters=1, vectors=8, orthogonal_steps=True
    ):
        super().__init__(learning_rate)
        self.filters = filters
        self.vectors = vectors
        self.change = (
            orthogonal if orthogonal_steps else of_equal_length
        )

    def build(self, variables):
        super().build(variables)
        self.velocities = [
            self.add_variable_from_reference(variable, "velocity")
            for variable in variables
        ]

    def apply(self, gradients, trainable_variables=None):
        steps = []
        for gradient, velocity in zip(gradients, self.velocities):
            velocity.assign(0.6 * velocity + gradient)
            step = gradient + 0.6 * velocity
            if len(step.shape) == 4:  # the filters of a convolution
                matrix = keras.ops.reshape(step, (-1, step.shape[-1]))
                matrix = self.filters * self.change(matrix)
                step = keras.ops.reshape(matrix, step.shape)
            elif len(step.shape) == 1:
                step = self.vectors * step
            steps.append(step)
        super().apply(steps, trainable_variables)


def staged_optimizer(recipe, steps):
    rate = recipe["learning_rate"]
    rate = keras.optimizers.schedules.PolynomialDecay(
        rate, steps, 0.01 * rate
    )
    return Muon(
        rate, recipe["filters"], recipe["vectors"], recipe["orthogonal"]
    )


def train_staged(data, seed, recipe, callbacks=(), verbose=0):
    x_train, y_train = data.train
    images = round(len(x_train) * (1 - recipe["validation_split"]))
    steps = math.ceil(images / recipe["batch_size"]) * recipe["epochs"]
    keras.utils.set_random_seed(seed)
    model = build_staged(recipe, data)
    model.compile(
        loss=keras.losses.CategoricalCrossentropy(
            label_smoothing=recipe["label_smoothing"]
        ),
        optimizer=staged_optimizer(recipe, steps),
        metrics=["accuracy"],
    )
    model.optimizer.build(model.trainable_variables)
    history = model.fit(
        x_train,
        keras.utils.to_categorical(y_train, data.num_classes),
        batch_size=recipe["batch_size"],
        epochs=recipe["epochs"],
        validation_split=recipe["validation_split"],
        callbacks=list(callbacks),
        verbose=verbose,
    )
    return model, history


SMALL = {
    "stem": 32,
    "pool_stem": True,
    "stages": [[96], [192]],
    "two_stages": True,
    "unit_norm": True,
    "flips": True,
    "shifts": False,
    "label_smoothing": 0,
    "orthogonal": True,
    "filters": 1,
    "vectors": 8,
    "learning_rate": 0.16,
    "batch_size": 250,
    "epochs": 3,
    "validation_split": 0.2,
}


LARGE = SMALL | {
    "stem": 48,
    "pool_stem": False,
    "stages": [[80, 80], [160, 160], [320, 320]],
    "shifts": True,
    "label_smoothing": 0.2,
    "learning_rate": 0.15,
    "batch_size": 500,
    "epochs": 10,
    "validation_split": 0,
}


NO_FLIPS = SMALL | {"flips": False}
SHIFTS = SMALL | {"shifts": True}
SMOOTHING = SMALL | {"label_smoothing": 0.1}
NO_UNIT_NORM = SMALL | {"unit_norm": False}
ONE_STAGE = SMALL | {"two_stages": False}
NO_VECTORS = SMALL | {"vectors": 1}
NOT_ORTHOGONAL = SMALL | {"orthogonal": False}


def train_on_devices(data, seed, epochs=10, callbacks=(), verbose=0):
    keras.distribution.set_distribution(
        keras.distribution.DataParallel()
    )
    keras.utils.set_random_seed(seed)
    model = build_model(data)
    model.compile(
        loss="categorical_crossentropy",
        optimizer=keras.optimizers.SGD(0.1, momentum=0.9),
    )
    x_train, y_train = data.train
    history = model.fit(
        x_train[:128],
        keras.utils.to_categorical(y_train[:128], data.num_classes),
        batch_size=128,
        epochs=epochs,
        callbacks=list(callbacks),
        verbose=verbose,
    )
    return model, history


# From notebooks/transfer.ipynb.


def new_training_images(data):
    x_train, y_train = data.train
    kept = round(0.8 * len(x_train))
    new = np.flatnonzero(y_train[:kept, 0] >= 80)
    return x_train[new], y_train[new] - 80


def new_validation_images(data):
    x_train, y_train = data.train
    kept = round(0.8 * len(x_train))
    new = kept + np.flatnonzero(y_train[kept:, 0] >= 80)
    return x_train[new], y_train[new] - 80


def new_test_images(data):
    x_test, y_test = data.test
    new = y_test[:, 0] >= 80
    return x_test[new], y_test[new] - 80


def pretrain(data, seed, callbacks=(), verbose=0):
    x_train, y_train = data.train
    old = y_train[:, 0] < 80
    steps = 5 * math.ceil(old.sum() / 128)
    keras.utils.set_random_seed(seed)
    model = build_from(IMPROVED, data)
    model.compile(
        loss="categorical_crossentropy",
        optimizer=optimizer_from(IMPROVED, steps),
        metrics=["accuracy"],
    )
    history = model.fit(
        x_train[old],
        keras.utils.to_categorical(y_train[old], data.num_classes),
        batch_size=128,
        epochs=5,
        callbacks=list(callbacks),
        verbose=verbose,
    )
    return model, history


def few_images(labels, n, seed):
    rng = np.random.default_rng(seed)
    of_class = [np.flatnonzero(labels == k) for k in range(20)]
    chosen = [
        rng.choice(images, n, replace=False) for images in of_class
    ]
    return np.concatenate(chosen)


def with_new_head(model):
    features = model.layers[-2].output
    outputs = layers.Dense(20, activation="softmax")(features)
    return keras.Model(model.inputs, outputs)


def train_from_scratch(
    data, seed, n, learning_rate, callbacks=(), verbose=0
):
    x_new, y_new = new_training_images(data)
    recipe = IMPROVED | {"learning_rate": learning_rate}
    epochs = round(1565 / math.ceil(20 * n / 32))
    keras.utils.set_random_seed(seed)
    model = with_new_head(build_from(recipe, data))
    model.compile(
        loss="sparse_categorical_crossentropy",
        optimizer=optimizer_from(recipe, 1565),
        metrics=["accuracy"],
    )
    chosen = few_images(y_new, n, seed)
    history = model.fit(
        x_new[chosen],
        y_new[chosen],
        batch_size=32,
        epochs=epochs,
        validation_data=new_validation_images(data),
        validation_freq=[epochs],  # once, at the end
        callbacks=list(callbacks),
        verbose=verbose,
    )
    return model, history


# Whoever imports this module hears of it if a notebook has been changed since.
tell_if_older()

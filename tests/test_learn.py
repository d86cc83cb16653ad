"""Learning in the page: its gradients and steps beside Keras, and the two pages."""

import numpy as np
import pytest
import test_browser
from test_browser import PLAY

from helpers import quiet_start
from helpers.stand_in import COLOURS, PATTERNS, _patterns
from tools.pages import play as play_tool

with quiet_start():
    import keras
    import tensorflow as tf
    from keras import layers

address, browser = test_browser.address, test_browser.browser  # fixtures
open_page = test_browser.open_page

# A network from its description; the kind says how many bits its numbers have.
BUILD = """
const withArrays = (layer, kind) =>
  ({ ...layer, arrays: layer.arrays.map((array) => kind.from(array)) });
const build = (described, kind) => ({
  ...described, layers: described.layers.map((layer) => withArrays(layer, kind)),
});
"""
GRADIENTS = """async ({ described, images, labels }) => {
  const { gradients } = await import("../pages/play/backward.js");
  const network = build(described, Float32Array);
  const loss = gradients(network, images.map((x) => Float32Array.from(x)), labels);
  const all = network.layers.flatMap((layer) => layer.gradients);
  return [loss, all.map((gradient) => Array.from(gradient))];
}"""
# In 64 bits, the loss is exact enough to be differentiated by moving each weight.
NUMERICAL = """async ({ described, images, labels }) => {
  const { crossEntropy, forward, gradients } =
    await import("../pages/play/backward.js");
  const network = build(described, Float64Array);
  const pictures = images.map((x) => Float64Array.from(x));
  const one = (x, i) => crossEntropy(forward(network, x).at(-1).data, labels[i]);
  const loss = () => pictures.map(one).reduce((a, b) => a + b) / pictures.length;
  gradients(network, pictures, labels);
  return network.layers.flatMap((layer) => layer.arrays.map((array, a) =>
    Array.from(array, (weight, i) => {
      array[i] = weight + 1e-6;
      const above = loss();
      array[i] = weight - 1e-6;
      const below = loss();
      array[i] = weight;
      return [layer.gradients[a][i], (above - below) / 2e-6];
    })));
}"""
STEPS = """async ({ described, batches, labels, rate, momentum }) => {
  const { gradients, update } = await import("../pages/play/backward.js");
  const network = build(described, Float32Array);
  return batches.map((images, i) => {
    const loss = gradients(network, images.map((x) => Float32Array.from(x)), labels[i]);
    update(network, rate, momentum);
    return loss;
  });
}"""


@pytest.fixture
def model():
    """A small network with every kind of layer that learns, or passes gradients on."""
    keras.utils.set_random_seed(425)
    return keras.Sequential(
        [
            keras.Input((9, 8, 3)),
            layers.Rescaling(1 / 127.5, offset=-1),
            layers.Conv2D(6, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(2),
            layers.Conv2D(5, (2, 3), strides=2, padding="same", use_bias=False),
            layers.ReLU(),
            layers.AveragePooling2D(2, strides=1, padding="same"),
            layers.Flatten(),
            layers.Dense(7, activation="relu"),
            layers.Dense(4, activation="softmax"),
        ]
    )


def described(model):
    """Return the network as the page reads it, with its weights as plain numbers."""
    about = []
    for layer in model.layers:
        one, arrays = play_tool.describe(layer)
        about.append({**one, "arrays": [array.ravel().tolist() for array in arrays]})
    return {"input": list(model.input_shape[1:]), "layers": about}


def batch(model, count, seed=1):
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 256, (count, *model.input_shape[1:])).astype("float32")
    return images, rng.integers(0, model.output_shape[1], count)


def compute(open_page, script, task):
    """Run a script in the page, where `build` makes a network from its description."""
    page = open_page(PLAY)
    page.add_script_tag(content=BUILD)
    return page.evaluate(script, task)


def flat(images):
    return images.reshape(len(images), -1).tolist()


def test_every_gradient_is_that_of_keras(model, open_page):
    images, labels = batch(model, 12)
    task = {"described": described(model), "images": flat(images)}
    task["labels"] = labels.tolist()
    loss, found = compute(open_page, GRADIENTS, task)
    with tf.GradientTape() as tape:
        each = keras.losses.sparse_categorical_crossentropy(labels, model(images))
        wanted_loss = tf.reduce_mean(each)
    wanted = tape.gradient(wanted_loss, model.trainable_weights)
    assert loss == pytest.approx(float(wanted_loss), abs=1e-4)
    assert len(found) == len(wanted) == 7
    for one, other in zip(found, wanted, strict=True):
        assert np.abs(other).max() > 1e-3  # there is something to compare
        np.testing.assert_allclose(one, np.ravel(other), atol=1e-4)


def test_every_gradient_is_a_difference_of_losses(model, open_page):
    images, labels = batch(model, 3)
    task = {"described": described(model), "images": flat(images)}
    task["labels"] = labels.tolist()
    found = compute(open_page, NUMERICAL, task)
    assert sum(map(len, found)) == model.count_params()
    for array in found:
        computed, measured = np.transpose(array)
        np.testing.assert_allclose(computed, measured, atol=1e-4)


def test_ten_steps_have_the_losses_of_keras(model, open_page):
    start = described(model)
    rate, momentum = 0.05, 0.9
    optimizer = keras.optimizers.SGD(rate, momentum=momentum)
    model.compile(optimizer, "sparse_categorical_crossentropy")
    batches = [batch(model, 8, seed) for seed in range(10)]
    wanted = [model.train_on_batch(images, labels) for images, labels in batches]
    task = {
        "described": start,
        "batches": [flat(images) for images, _ in batches],
        "labels": [labels.tolist() for _, labels in batches],
        "rate": rate,
        "momentum": momentum,
    }
    found = compute(open_page, STEPS, task)
    assert np.ptp(wanted) > 0.1  # it does learn something
    np.testing.assert_allclose(found, wanted, atol=1e-3)


DROPOUT = """async () => {
  const { layers } = await import("../pages/play/backward.js");
  const { seeded } = await import("../pages/play/random.js");
  const layer = { rate: 0.25 }, data = new Float32Array(20000).fill(1);
  const inference = layers.dropout.forward(layer, { data });
  const training = layers.dropout.forward(layer, { data }, seeded(1));
  const back = layers.dropout.backward(layer, { data }, data);
  return [inference, training, back].map((x) => Array.from(x));
}"""


def test_dropout_drops_its_share_and_keeps_the_mean(open_page):
    inference, training, back = map(np.array, open_page(PLAY).evaluate(DROPOUT))
    assert (inference == 1).all()
    assert np.mean(training == 0) == pytest.approx(0.25, abs=0.01)
    assert training.mean() == pytest.approx(1, abs=0.02)
    assert (back == training).all()  # the same numbers are dropped on the way back


class Constant:
    """A generator of random numbers that are all alike."""

    def __init__(self, value):
        self.value = value

    def random(self, shape, dtype):
        return np.full(shape, self.value, dtype)


DRAWN = """async (value) => {
  const { CLASSES, drawPattern } = await import("../pages/play/patterns.js");
  return CLASSES.map((c) => [c, Array.from(drawPattern(c, 32, () => value))]);
}"""


@pytest.mark.parametrize("value", [0.1, 0.42, 0.8])
def test_drawn_images_are_those_of_the_stand_in(value, open_page):
    for about, pixels in open_page(PLAY).evaluate(DRAWN, value):
        group = 5 * PATTERNS.index(about["pattern"]) + about["frequency"] - 1
        label = 5 * group + COLOURS.index(about["colour"])
        wanted = _patterns(np.array([label]), Constant(value)).ravel()
        # At an edge of the pattern, 32 and 64 bits can differ on the side.
        assert np.mean(np.abs(wanted - pixels) > 0.01) < 0.01, about

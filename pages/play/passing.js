// Layers that have nothing to learn: each passes its numbers on, changed or as they are.

// Dropout: in training each number is dropped with probability `rate`, at random and anew for every
// picture, and the others grow to keep the mean. At inference, where `random` is missing, it does nothing.
export const dropout = {
  forward(layer, { data }, random) {
    const factor = () => (random() < layer.rate ? 0 : 1 / (1 - layer.rate));
    layer.factors = data.map(random ? factor : () => 1);
    return data.map((value, i) => value * layer.factors[i]);
  },
  backward: (layer, input, gradient) => gradient.map((value, i) => value * layer.factors[i]),
};

// Rescaling, and batch normalisation at inference: a factor and an offset, by channel.
export const scale = {
  forward: (layer, { data, shape }) =>
    data.map((value, i) => value * pick(layer.scale, i, shape) + pick(layer.offset, i, shape)),
  backward: (layer, { shape }, gradient) => gradient.map((value, i) => value * pick(layer.scale, i, shape)),
};

// Flattening only changes how the numbers are read.
export const same = {
  forward: (layer, { data }) => data.slice(),
  backward: (layer, input, gradient) => gradient,
};

const pick = (numbers, i, shape) => numbers[numbers.length === 1 ? 0 : i % shape.at(-1)];

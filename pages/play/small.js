// The small networks that learn in the browser, described as network.json describes the lecture's network.

/** Describe a convolution with padding "same", so that the picture keeps its size, and ReLU. */
const convolution = (input, size, filters) => ({
  name: `${filters} filters of ${size} × ${size}`,
  kind: "conv",
  activation: "relu",
  shape: [input[0], input[1], filters],
  kernel: [size, size],
  stride: [1, 1],
  padding: [(size - 1) >> 1, (size - 1) >> 1],
  fans: [size * size * input[2], size * size * filters],
});
const pooling = ([height, width, channels]) => ({
  name: "max pooling",
  kind: "pool",
  take: "max",
  activation: "linear",
  shape: [height >> 1, width >> 1, channels],
  kernel: [2, 2],
  stride: [2, 2],
  padding: [0, 0],
});
const flatten = (input) => ({
  name: "flatten",
  kind: "same",
  activation: "linear",
  shape: [input.reduce((a, b) => a * b)],
});
const dropout = (input, rate) => ({
  name: "dropout",
  kind: "dropout",
  activation: "linear",
  shape: input,
  rate,
});
const dense = ([inputs], outputs) => ({
  name: "dense",
  kind: "dense",
  activation: "softmax",
  shape: [outputs],
  fans: [inputs, outputs],
});

/**
 * Give each layer its first weights, as Keras does by default: uniform, the more inputs the smaller;
 * biases 0.
 */
export function initialise(network, random) {
  for (const layer of network.layers) {
    layer.arrays = [];
    if (!layer.fans) continue;
    const [inputs, outputs] = layer.fans;
    const limit = Math.sqrt(6 / (inputs + outputs)); // X. Glorot and Y. Bengio, 2010
    const count = inputs * layer.shape.at(-1); // each filter or output has a weight for each of its inputs
    const weights = Float32Array.from({ length: count }, () => (2 * random() - 1) * limit);
    layer.arrays = [weights, new Float32Array(layer.shape.at(-1))];
  }
  return network;
}

const rescaling = (shape, factor) => ({
  name: "rescaling",
  kind: "scale",
  activation: "linear",
  shape,
  scale: [factor],
  offset: [0],
});

/** Two convolutions, each with a pooling, then a dense layer. */
export function smallNetwork({ input, filters, classes, rate = 0 }, random) {
  const stack = [rescaling(input, 1 / 255)];
  const add = (layer, ...rest) => stack.push(layer(stack.at(-1).shape, ...rest));
  add(convolution, 3, filters);
  add(pooling);
  add(convolution, 3, 2 * filters);
  add(pooling);
  add(flatten);
  add(dropout, rate);
  add(dense, classes);
  return initialise({ input, layers: stack }, random);
}

/** A softmax layer for features that another network has computed. */
export function head({ features, classes, scale }, random) {
  const layers = [rescaling([features], scale), dense([features], classes)];
  return initialise({ input: [features], layers }, random);
}

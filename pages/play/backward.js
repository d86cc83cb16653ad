// How a network learns, in plain JavaScript: each layer with its way forward and, beside it, its way back.
//
// What goes from layer to layer is a tensor, { data, shape }: the numbers in one row, and how they are
// to be read. A picture has the shape [height, width, channels], so the number of channel c in row y
// and column x stands at (y * width + x) * channels + c, as in NumPy.
//
// Forward, a layer computes its outputs from its inputs. Backward, it receives the gradient of the loss
// with respect to its outputs: how fast the loss grows with each of them. By the chain rule it returns
// the gradient with respect to its inputs, which are the outputs of the layer before. On the way it adds
// to the gradients of its own weights, which the optimizer needs.

import { dropout, same, scale } from "./passing.js"; // layers without weights of their own
import { meetings, pooled } from "./windows.js"; // which inputs the windows of a layer cover

const size = (shape) => shape.reduce((a, b) => a * b);
/** Make a row of zeros of the same kind: 32-bit numbers as in Keras, or 64 bits where a test wants more. */
const zeros = (like, length) => new like.constructor(length);

/** Find where the largest number of a window stands. */
const largest = (data, window, c) =>
  window.reduce((best, at) => (data[at + c] > data[best + c] ? at : best));

export const layers = {
  // A convolution: at each position, products of inputs and weights, added up for every filter.
  conv: {
    forward(layer, { data, shape }) {
      const filters = layer.shape[2];
      const [weights, bias] = layer.arrays;
      const output = zeros(data, size(layer.shape));
      const positions = meetings(layer, shape);
      for (let position = 0; position < positions.length; position++) {
        const { inputs, places } = positions[position];
        const first = position * filters;
        if (bias) output.set(bias, first);
        for (let i = 0; i < inputs.length; i++) {
          const value = data[inputs[i]];
          const place = places[i];
          if (value === 0) continue; // ReLU has made many zeros
          for (let f = 0; f < filters; f++) output[first + f] += value * weights[place + f];
        }
      }
      return output;
    },
    // In a product, the gradient of each factor is the other factor times the gradient of the sum. A weight
    // is used at every position, and an input in several windows, so what arrives there adds up.
    backward(layer, { data, shape }, gradient) {
      const filters = layer.shape[2];
      const [weights] = layer.arrays;
      const [weightGradient, biasGradient] = layer.gradients;
      const inputGradient = zeros(data, data.length);
      const positions = meetings(layer, shape);
      for (let position = 0; position < positions.length; position++) {
        const { inputs, places } = positions[position];
        for (let f = 0; f < filters; f++) {
          const arriving = gradient[position * filters + f];
          if (arriving === 0) continue; // pooling and ReLU have made most of them zero
          if (biasGradient) biasGradient[f] += arriving;
          for (let i = 0; i < inputs.length; i++) {
            weightGradient[places[i] + f] += data[inputs[i]] * arriving;
            inputGradient[inputs[i]] += weights[places[i] + f] * arriving;
          }
        }
      }
      return inputGradient;
    },
  },

  // Pooling: of each window the largest number, or the mean; every channel for itself.
  pool: {
    forward(layer, { data, shape }) {
      const channels = shape[2];
      const output = zeros(data, size(layer.shape));
      pooled(layer, shape).forEach((window, position) => {
        for (let c = 0; c < channels; c++) {
          output[position * channels + c] =
            layer.take === "max"
              ? data[largest(data, window, c) + c]
              : window.reduce((sum, at) => sum + data[at + c], 0) / window.length;
        }
      });
      return output;
    },
    // Only the largest number of a window reached the output, so it gets the whole gradient.
    // In a mean, all have an equal share.
    backward(layer, { data, shape }, gradient) {
      const channels = shape[2];
      const inputGradient = zeros(data, data.length);
      pooled(layer, shape).forEach((window, position) => {
        for (let c = 0; c < channels; c++) {
          const arriving = gradient[position * channels + c];
          if (layer.take === "max") {
            inputGradient[largest(data, window, c) + c] += arriving;
          } else {
            for (const at of window) inputGradient[at + c] += arriving / window.length;
          }
        }
      });
      return inputGradient;
    },
  },

  // A dense layer: every input has a weight for every output.
  dense: {
    forward(layer, { data }) {
      const outputs = layer.shape[0];
      const [weights, bias] = layer.arrays;
      const output = zeros(data, outputs);
      if (bias) output.set(bias);
      for (let i = 0; i < data.length; i++) {
        if (data[i] === 0) continue;
        for (let o = 0; o < outputs; o++) output[o] += data[i] * weights[i * outputs + o];
      }
      return output;
    },
    backward(layer, { data }, gradient) {
      const outputs = layer.shape[0];
      const [weights] = layer.arrays;
      const [weightGradient, biasGradient] = layer.gradients;
      const inputGradient = zeros(data, data.length);
      if (biasGradient) for (let o = 0; o < outputs; o++) biasGradient[o] += gradient[o];
      for (let i = 0; i < data.length; i++) {
        for (let o = 0; o < outputs; o++) {
          weightGradient[i * outputs + o] += data[i] * gradient[o];
          inputGradient[i] += weights[i * outputs + o] * gradient[o];
        }
      }
      return inputGradient;
    },
  },

  dropout,
  same,
  scale,
};

/**
 * Exponentiate each score and divide by the total. (Subtracting the largest score only prevents
 * overflow.)
 */
export function softmax(scores) {
  const highest = scores.reduce((a, b) => Math.max(a, b));
  const powers = Array.from(scores, (score) => Math.exp(score - highest));
  const total = powers.reduce((a, b) => a + b);
  return powers.map((power) => power / total);
}

// What a layer does to its numbers at the end. The way back of softmax is in `backward`, with the loss.
const activations = {
  linear: { forward: (data) => data, backward: (output, gradient) => gradient },
  relu: {
    forward: (data) => data.map((value) => (value < 0 ? 0 : value)),
    backward: (output, gradient) => gradient.map((value, i) => (output[i] > 0 ? value : 0)),
  },
  softmax: { forward: (data) => data.constructor.from(softmax(data)) },
};

/** Return the tensors of one picture: first the picture itself, then the output of each layer. */
export function forward(network, pixels, random = null) {
  const tensors = [{ data: pixels, shape: network.input }];
  for (const layer of network.layers) {
    const scores = layers[layer.kind].forward(layer, tensors.at(-1), random);
    const data = activations[layer.activation].forward(scores);
    tensors.push({ data, shape: layer.shape, scores });
  }
  return tensors;
}

/** The loss of one picture, cross-entropy: the less probable its label, the larger. */
export const crossEntropy = (probabilities, label) => -Math.log(Math.max(probabilities[label], 1e-7));

/** Go back from the loss of one picture to the picture itself, and add to the gradients of all weights. */
export function backward(network, tensors, label) {
  // Softmax and cross-entropy together have the simplest gradient there is, with respect to the scores:
  // the probabilities minus what they should have been, 1 for the label and 0 for the others.
  let gradient = tensors.at(-1).data.slice();
  gradient[label] -= 1;
  for (let i = network.layers.length - 1; i >= 0; i--) {
    const layer = network.layers[i];
    if (layer.activation !== "softmax") {
      gradient = activations[layer.activation].backward(tensors[i + 1].data, gradient);
    }
    gradient = layers[layer.kind].backward(layer, tensors[i], gradient);
  }
  return gradient;
}

/** Compute the gradients of the mean loss of a batch, and return that loss. */
export function gradients(network, pictures, labels, random = null) {
  for (const layer of network.layers)
    layer.gradients = layer.arrays.map((array) => zeros(array, array.length));
  let loss = 0;
  pictures.forEach((pixels, i) => {
    const tensors = forward(network, pixels, random);
    loss += crossEntropy(tensors.at(-1).data, labels[i]) / pictures.length;
    backward(network, tensors, labels[i]);
  });
  for (const gradient of network.layers.flatMap((layer) => layer.gradients)) {
    gradient.forEach((sum, i) => (gradient[i] = sum / pictures.length));
  }
  return loss;
}

/**
 * Gradient descent with momentum: each weight moves against its gradient, and keeps some of its last
 * move.
 */
export function update(network, rate, momentum) {
  for (const layer of network.layers) {
    layer.moves ??= layer.arrays.map((array) => zeros(array, array.length));
    layer.arrays.forEach((array, a) => {
      const move = layer.moves[a];
      const gradient = layer.gradients[a];
      for (let i = 0; i < array.length; i++) {
        move[i] = momentum * move[i] - rate * gradient[i];
        array[i] += move[i];
      }
    });
  }
}

// The lecture's network in plain JavaScript: what Keras computes in `model.predict`, layer by layer.
//
// What goes from layer to layer is a tensor, { data, shape }: the numbers in one row, and how they are
// to be read. A picture has the shape [height, width, channels], so the number of channel c in row y
// and column x stands at (y * width + x) * channels + c, as in NumPy. The description of each layer
// comes from network.json, which tools/pages/play.py writes from the recorded run.

/** Return what every layer gives for one picture: first the picture itself, then a tensor for each layer. */
export function forward(network, pixels) {
  const tensors = [{ data: pixels, shape: network.input }];
  for (const layer of network.layers) {
    const data = compute[layer.kind](layer, tensors.at(-1));
    activate[layer.activation](data);
    tensors.push({ data, shape: layer.shape });
  }
  return tensors;
}

/** List the inputs that a window covers: row and column in the input, and the position in the window. */
export function windowAt(layer, row, column, [height, width]) {
  const covered = [];
  for (let i = 0; i < layer.kernel[0]; i++) {
    for (let j = 0; j < layer.kernel[1]; j++) {
      const y = row * layer.stride[0] - layer.padding[0] + i;
      const x = column * layer.stride[1] - layer.padding[1] + j;
      // Outside the picture there is padding. It adds nothing to a sum, and pooling passes over it.
      if (y >= 0 && y < height && x >= 0 && x < width) covered.push([y, x, i * layer.kernel[1] + j]);
    }
  }
  return covered;
}

const compute = {
  // A convolution: at each position, products of weights and inputs, added up for every filter.
  conv(layer, { data, shape }) {
    const [rows, columns, filters] = layer.shape;
    const [weights, bias] = layer.arrays;
    const channels = shape[2];
    const output = new Float32Array(rows * columns * filters);
    for (let place = 0; place < rows * columns; place++) {
      const first = place * filters;
      if (bias) output.set(bias, first);
      for (const [y, x, k] of windowAt(layer, Math.floor(place / columns), place % columns, shape)) {
        for (let c = 0; c < channels; c++) {
          const value = data[(y * shape[1] + x) * channels + c];
          if (value === 0) continue; // ReLU has made many zeros
          const weight = (k * channels + c) * filters;
          for (let f = 0; f < filters; f++) output[first + f] += value * weights[weight + f];
        }
      }
    }
    return output;
  },

  // Pooling: of each window the largest number, or the mean; every channel for itself.
  pool(layer, { data, shape }) {
    const channels = shape[2];
    const [rows, columns] = layer.shape.length === 3 ? layer.shape : [1, 1];
    const output = new Float32Array(rows * columns * channels);
    for (let place = 0; place < rows * columns; place++) {
      const covered = windowAt(layer, Math.floor(place / columns), place % columns, shape);
      for (let c = 0; c < channels; c++) {
        let largest = -Infinity;
        let sum = 0;
        for (const [y, x] of covered) {
          const value = data[(y * shape[1] + x) * channels + c];
          if (value > largest) largest = value;
          sum += value;
        }
        output[place * channels + c] = layer.take === "max" ? largest : sum / covered.length;
      }
    }
    return output;
  },

  // A dense layer: every input has a weight for every output.
  dense(layer, { data }) {
    const outputs = layer.shape[0];
    const [weights, bias] = layer.arrays;
    const output = new Float32Array(outputs);
    if (bias) output.set(bias);
    for (let i = 0; i < data.length; i++) {
      if (data[i] === 0) continue;
      for (let o = 0; o < outputs; o++) output[o] += data[i] * weights[i * outputs + o];
    }
    return output;
  },

  // Rescaling, and batch normalisation once training is over: a factor and an offset, by channel.
  scale(layer, { data, shape }) {
    const channels = shape.at(-1);
    const pick = (numbers, i) => numbers[numbers.length === 1 ? 0 : i % channels];
    return data.map((value, i) => value * pick(layer.scale, i) + pick(layer.offset, i));
  },

  // Dropout does nothing after training, and flattening only changes how the numbers are read.
  same: (layer, { data }) => Float32Array.from(data),
};

const activate = {
  linear() {},
  relu(data) {
    for (let i = 0; i < data.length; i++) if (data[i] < 0) data[i] = 0;
  },
  softmax(data) {
    data.set(softmax(data));
  },
};

/** Exponentiate each score and divide by the total. (Subtracting the largest score changes nothing but the overflow.) */
export function softmax(scores) {
  const largest = scores.reduce((a, b) => Math.max(a, b));
  const powers = Array.from(scores, (score) => Math.exp(score - largest));
  const total = powers.reduce((a, b) => a + b);
  return powers.map((power) => power / total);
}

/** Temperature scaling: divide the scores by a number that was fitted on the validation images. */
export function calibrate(probabilities, temperature) {
  return softmax(Array.from(probabilities, (p) => Math.log(Math.max(p, 1e-45)) / temperature));
}

/** Load the description of the network from a folder. */
export async function load(folder) {
  return (await get("network.json", folder)).json();
}

/** Load the weights, and check that they are those of the description. */
export async function loadWeights(network, folder) {
  const bytes = await (await get("weights.bin", folder)).arrayBuffer();
  const wrong = (what) => new Error(`The weights that arrived are ${what}, so the network cannot run: reload the page.`);
  if (bytes.byteLength !== network.bytes) throw wrong(`incomplete (${bytes.byteLength} of ${network.bytes} bytes)`);
  if (globalThis.crypto?.subtle) { // absent over plain http, except from one's own machine
    const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
    const sha256 = Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
    if (sha256 !== network.sha256) throw wrong("not those of the recorded run (another SHA-256)");
  }
  const integers = new Int16Array(bytes);
  for (const layer of network.layers) {
    layer.arrays = layer.weights.map(({ start, shape, scale }) =>
      Float32Array.from(integers.subarray(start, start + shape.reduce((a, b) => a * b)), (n) => n * scale));
  }
}

async function get(name, folder) {
  const answer = await fetch(new URL(name, folder)).catch(() => null);
  if (!answer?.ok) throw new Error(`The network did not arrive (${name}): check the connection and reload the page.`);
  return answer;
}

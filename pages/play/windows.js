// Where the windows of a convolution or pooling lie, and which numbers they cover.

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

/** Describe each window of a layer, row by row; this is done once, since no picture changes it. */
function eachWindow(layer, shape, describe) {
  if (layer.windows) return layer.windows;
  const [rows, columns] = layer.shape.length === 3 ? layer.shape : [1, 1]; // global pooling has one window
  layer.windows = [];
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      layer.windows.push(describe(windowAt(layer, row, column, shape)));
    }
  }
  return layer.windows;
}

/** List for each window of a pooling where its numbers stand, those of the first channel. */
export function pooled(layer, shape) {
  const place = ([y, x]) => (y * shape[1] + x) * shape[2];
  return eachWindow(layer, shape, (covered) => covered.map(place));
}

/**
 * List for each window of a convolution which input meets which weight: the places of both, the weight's
 * for the first filter. Those of the other filters follow it.
 */
export function meetings(layer, shape) {
  const channels = shape[2];
  const filters = layer.shape[2];
  return eachWindow(layer, shape, (covered) => {
    const inputs = new Int32Array(covered.length * channels);
    const places = new Int32Array(covered.length * channels);
    covered.forEach(([y, x, k], i) => {
      for (let c = 0; c < channels; c++) {
        inputs[i * channels + c] = (y * shape[1] + x) * channels + c;
        places[i * channels + c] = (k * channels + c) * filters;
      }
    });
    return { inputs, places };
  });
}

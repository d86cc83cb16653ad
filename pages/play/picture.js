// From a picture of any size to the 32 x 32 pixels that the network takes: the central square, shrunk.
// This is what PIL's ImageOps.fit does, so a photo gets the same pixels here and in notebook 4.

export const SIZE = 32;
// A larger square is first shrunk to this size by the browser, because phones limit their canvases.
const LARGEST = 2048;

/**
 * Return the pixels of a picture in a file: SIZE x SIZE x 3 numbers from 0 to 255, and a sentence about
 * them.
 */
export async function readFile(file) {
  const name = file.name || "The picture";
  let bitmap;
  try {
    bitmap = await createImageBitmap(file);
  } catch {
    throw new Error(`${name} is not a picture that this browser can read: choose a JPEG, PNG or WebP file.`);
  }
  const { width, height } = bitmap;
  if (Math.min(width, height) < SIZE / 2) {
    throw new Error(
      `${name} has only ${width} × ${height} pixels:` +
        ` choose a picture of at least ${SIZE / 2} × ${SIZE / 2}.`,
    );
  }
  const pixels = shrink(bitmap, width, height);
  bitmap.close(); // a photograph takes 50 MB or more once it is unpacked
  return {
    pixels,
    sentence: `${name}, ${width} × ${height} pixels: its central square, shrunk to ${SIZE} × ${SIZE}.`,
  };
}

/** Crop the central square of a bitmap or canvas and shrink it, on a white ground. */
export function shrink(source, width, height) {
  const side = Math.min(width, height);
  // The filter reaches a little beyond the square, as PIL's does.
  const reach = side / 16;
  const left = (width - side) / 2;
  const top = (height - side) / 2;
  const x = Math.max(0, Math.floor(left - reach));
  const y = Math.max(0, Math.floor(top - reach));
  const wide = Math.min(width, Math.ceil(left + side + reach)) - x;
  const high = Math.min(height, Math.ceil(top + side + reach)) - y;
  const zoom = Math.min(1, LARGEST / side);
  const canvas = Object.assign(document.createElement("canvas"), {
    width: Math.round(wide * zoom),
    height: Math.round(high * zoom),
  });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.fillStyle = "white";
  context.imageSmoothingQuality = "high";
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(source, x, y, wide, high, 0, 0, canvas.width, canvas.height);
  const { data } = context.getImageData(0, 0, canvas.width, canvas.height);

  const across = weights(canvas.width, (left - x) * zoom, side * zoom);
  const down = weights(canvas.height, (top - y) * zoom, side * zoom);
  const rows = new Uint8ClampedArray(canvas.height * SIZE * 3); // narrow already, still as high as before
  for (let row = 0; row < canvas.height; row++) {
    resample(
      across,
      (i) => (row * canvas.width + i) * 4,
      data,
      (i) => (row * SIZE + i) * 3,
      rows,
    );
  }
  const pixels = new Uint8ClampedArray(SIZE * SIZE * 3);
  for (let column = 0; column < SIZE; column++) {
    resample(
      down,
      (i) => (i * SIZE + column) * 3,
      rows,
      (i) => (i * SIZE + column) * 3,
      pixels,
    );
  }
  return Float32Array.from(pixels);
}

/** Compute one row or column of SIZE pixels. */
function resample(weights, from, source, to, target) {
  weights.forEach(({ first, shares }, i) => {
    for (let colour = 0; colour < 3; colour++) {
      let sum = 0;
      for (let j = 0; j < shares.length; j++) sum += shares[j] * source[from(first + j) + colour];
      target[to(i) + colour] = sum; // rounded to 0, 1, ..., 255
    }
  });
}

/**
 * Return for each of SIZE new pixels the first old one that counts, and the shares of this and the
 * following.
 */
function weights(length, start, side) {
  const scale = side / SIZE;
  const wide = Math.max(scale, 1);
  return Array.from({ length: SIZE }, (_, i) => {
    const centre = start + (i + 0.5) * scale;
    const first = Math.max(0, Math.floor(centre - 2 * wide + 0.5));
    const last = Math.min(length, Math.floor(centre + 2 * wide + 0.5));
    const raw = Array.from({ length: last - first }, (_, j) => cubic((first + j + 0.5 - centre) / wide));
    const total = raw.reduce((a, b) => a + b);
    return { first, shares: raw.map((share) => share / total) };
  });
}

/**
 * The cubic filter of R. G. Keys (1981) with a = -0.5, as in PIL: near 1 at the centre, 0 from a
 * distance of 2 on.
 */
function cubic(distance) {
  const d = Math.abs(distance);
  if (d < 1) return (1.5 * d - 2.5) * d * d + 1;
  return d < 2 ? ((-0.5 * d + 2.5) * d - 4) * d + 2 : 0;
}

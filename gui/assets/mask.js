// Masks in the browser: from the API's palette PNG to category ids, and from ids to pixels in any colours.

const STRIP = 2 ** 22; // pixels read at a time: a canvas of 50 megapixels is more than some phones give
const LARGEST = 2 ** 24; // pixels of a canvas, for the same reason; beyond, every second, third... of them is painted

// As canvases store it, on the little-endian machines that browsers run on.
const packed = ([red, green, blue]) => ((255 << 24) | (blue << 16) | (green << 8) | red) >>> 0;

// The ids of a mask's pixels, row by row. A colour that is none of `encoded` counts as 0.
export async function readMask(url, encoded) {
  const answer = await fetch(url);
  if (!answer.ok) throw new Error(`${answer.status}`);
  // Colours are data here: no profile, no premultiplication may touch them.
  const asData = { colorSpaceConversion: "none", premultiplyAlpha: "none" };
  const bitmap = await createImageBitmap(await answer.blob(), asData);
  const { width, height } = bitmap;
  const ids = new Uint8Array(width * height);
  const known = new Map(encoded.map((color, id) => [packed(color), id]));
  const rows = Math.min(height, Math.max(1, Math.floor(STRIP / width)));
  const canvas = Object.assign(document.createElement("canvas"), { width, height: rows });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  for (let top = 0; top < height; top += rows) {
    const count = Math.min(rows, height - top);
    context.drawImage(bitmap, 0, -top);
    const pixels = new Uint32Array(context.getImageData(0, 0, width, count).data.buffer);
    let last = -1;
    let id = 0;
    for (let i = 0, to = top * width; i < pixels.length; i++, to++) {
      if (pixels[i] !== last) id = known.get((last = pixels[i])) ?? 0; // runs are long
      ids[to] = id;
    }
  }
  bitmap.close();
  return { width, height, ids };
}

// Paint ids into a canvas; those in `hidden` stay transparent.
export function paintMask(canvas, mask, colors, hidden) {
  const step = Math.ceil(Math.sqrt((mask.width * mask.height) / LARGEST));
  const width = Math.ceil(mask.width / step);
  const height = Math.ceil(mask.height / step);
  if (canvas.width !== width) canvas.width = width;
  if (canvas.height !== height) canvas.height = height;
  const table = Uint32Array.from(colors, (color, id) => (hidden.includes(id) ? 0 : packed(color)));
  const image = new ImageData(width, height);
  const pixels = new Uint32Array(image.data.buffer);
  for (let row = 0, to = 0; row < height; row++) {
    const from = row * step * mask.width;
    for (let column = 0; column < width; column++) pixels[to++] = table[mask.ids[from + column * step]];
  }
  canvas.getContext("2d").putImageData(image, 0, 0);
}

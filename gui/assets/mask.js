// Masks in the browser: the API's PNG has a palette and its pixel values are category ids, so other colours need no
// look at the pixels, and ids are read by painting each in a grey of its own number.

const STRIP = 2 ** 22; // pixels read at a time: a canvas of 50 megapixels is more than some phones give
const LARGEST = 2 ** 24; // pixels of a canvas, for the same reason; beyond, every second, third... of them is painted
const SIGNATURE = 8; // bytes that a PNG begins with
const AROUND = 12; // bytes of a chunk beside its data: length, type, checksum

const CRC = Uint32Array.from({ length: 256 }, (_, n) => {
  for (let bit = 0; bit < 8; bit++) n = n & 1 ? 0xedb88320 ^ (n >>> 1) : n >>> 1;
  return n;
});

function crc(bytes) {
  let value = 0xffffffff;
  for (const byte of bytes) value = CRC[(value ^ byte) & 0xff] ^ (value >>> 8);
  return (value ^ 0xffffffff) >>> 0;
}

function chunk(type, data) {
  const bytes = new Uint8Array(AROUND + data.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, data.length);
  bytes.set([...type].map((letter) => letter.charCodeAt(0)), 4);
  bytes.set(data, 8);
  view.setUint32(8 + data.length, crc(bytes.subarray(4, 8 + data.length)));
  return bytes;
}

// The mask in other colours, as PNG; ids in `hidden` are transparent.
// buffer: ArrayBuffer of a palette PNG whose pixel values are ids; colors: [[r, g, b], ...] by id.
function recolored(buffer, colors, hidden) {
  const bytes = new Uint8Array(buffer);
  const view = new DataView(buffer);
  const parts = [bytes.subarray(0, SIGNATURE)];
  let hasPalette = false;
  for (let at = SIGNATURE; at + AROUND <= bytes.length; ) {
    const end = at + AROUND + view.getUint32(at);
    const type = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    if (type === "PLTE") {
      hasPalette = true;
      const palette = bytes.slice(at + 8, end - 4);
      palette.set(colors.flat().slice(0, palette.length));
      parts.push(chunk(type, palette));
      const opaque = Array.from({ length: palette.length / 3 }, (_, id) => (hidden.includes(id) ? 0 : 255));
      if (hidden.length) parts.push(chunk("tRNS", opaque));
    } else if (type !== "tRNS") {
      parts.push(bytes.subarray(at, end));
    }
    at = end;
  }
  if (!hasPalette) throw new Error("the mask is no palette PNG");
  return new Blob(parts, { type: "image/png" });
}

// The mask in other colours, to be drawn.
export function maskPicture(buffer, colors, hidden = []) {
  // Colours are data here: no profile, no premultiplication may touch them.
  const asData = { colorSpaceConversion: "none", premultiplyAlpha: "none" };
  return createImageBitmap(recolored(buffer, colors, hidden), asData);
}

const GREYS = Array.from({ length: 256 }, (_, id) => [id, id, id]);

// The ids of a mask's pixels, row by row.
export async function readMask(url) {
  const answer = await fetch(url);
  if (!answer.ok) throw new Error(`${answer.status}`);
  const bitmap = await maskPicture(await answer.arrayBuffer(), GREYS);
  const { width, height } = bitmap;
  const ids = new Uint8Array(width * height);
  const rows = Math.min(height, Math.max(1, Math.floor(STRIP / width)));
  const canvas = Object.assign(document.createElement("canvas"), { width, height: rows });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  for (let top = 0; top < height; top += rows) {
    const count = Math.min(rows, height - top);
    context.drawImage(bitmap, 0, -top);
    const pixels = context.getImageData(0, 0, width, count).data;
    for (let from = 0, to = top * width; from < pixels.length; from += 4) ids[to++] = pixels[from];
  }
  bitmap.close();
  return { width, height, ids };
}

// As canvases store it, on the little-endian machines that browsers run on.
const packed = ([red, green, blue]) => ((255 << 24) | (blue << 16) | (green << 8) | red) >>> 0;

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

// A picture with its mask over it, as a JPEG of the mask's size however large that is.
export function overlay(picture, mask, colors, hidden, opacity) {
  const canvas = Object.assign(document.createElement("canvas"), { width: mask.width, height: mask.height });
  const context = canvas.getContext("2d", { alpha: false });
  context.drawImage(picture, 0, 0, mask.width, mask.height);
  context.globalAlpha = opacity;
  const strip = document.createElement("canvas");
  const rows = Math.max(1, Math.floor(STRIP / mask.width));
  for (let top = 0; top < mask.height; top += rows) {
    const height = Math.min(rows, mask.height - top);
    const ids = mask.ids.subarray(top * mask.width, (top + height) * mask.width);
    paintMask(strip, { width: mask.width, height, ids }, colors, hidden);
    context.drawImage(strip, 0, top);
  }
  return new Promise((done) => canvas.toBlob(done, "image/jpeg", 0.92));
}

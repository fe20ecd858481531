// Colours of a mask without touching its pixels: the API's PNG has a palette, which is replaced before it is decoded.

const CRC = Uint32Array.from({ length: 256 }, (_, n) => {
  for (let bit = 0; bit < 8; bit++) n = n & 1 ? 0xedb88320 ^ (n >>> 1) : n >>> 1;
  return n;
});

function crc(bytes) {
  let value = 0xffffffff;
  for (const byte of bytes) value = CRC[(value ^ byte) & 0xff] ^ (value >>> 8);
  return (value ^ 0xffffffff) >>> 0;
}

// The mask in other colours.
// buffer: ArrayBuffer of a palette PNG whose pixel values are category ids; colors: [[r, g, b], ...] by id.
export function recolored(buffer, colors) {
  const bytes = new Uint8Array(buffer);
  const view = new DataView(buffer);
  for (let at = 8; at + 12 <= bytes.length; ) {
    const length = view.getUint32(at);
    if (view.getUint32(at + 4) === 0x504c5445) { // "PLTE"
      const palette = bytes.subarray(at + 8, at + 8 + length);
      palette.set(colors.flat().slice(0, length));
      view.setUint32(at + 8 + length, crc(bytes.subarray(at + 4, at + 8 + length)));
      return new Blob([bytes], { type: "image/png" });
    }
    at += 12 + length;
  }
  throw new Error("the mask has no palette");
}

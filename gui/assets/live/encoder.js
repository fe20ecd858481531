// A worker: pictures to JPEG. On the page's own thread browsers put that off until they have nothing else to do.
let canvas = null;

onmessage = async ({ data: { picture, quality } }) => {
  if (canvas === null || canvas.width !== picture.width || canvas.height !== picture.height) {
    canvas = new OffscreenCanvas(picture.width, picture.height);
  }
  // Read back each time: a canvas on the graphics card would be copied to it and from it again.
  canvas.getContext("2d", { alpha: false, willReadFrequently: true }).drawImage(picture, 0, 0);
  const jpeg = await canvas.convertToBlob({ type: "image/jpeg", quality });
  const data = await jpeg.arrayBuffer();
  postMessage({ data, picture }, [data, picture]);
};

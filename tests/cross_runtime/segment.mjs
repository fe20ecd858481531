// node segment.mjs MODEL.onnx IMAGE.rgb HEIGHT WIDTH MASK.raw
import { readFile, writeFile } from "node:fs/promises";
import * as ort from "onnxruntime-web";

const [model, image, height, width, mask] = process.argv.slice(2);
// In a browser more threads need a page that is cross-origin isolated.
ort.env.wasm.numThreads = 1;
const options = { executionProviders: ["wasm"], logSeverityLevel: 3 };
const session = await ort.InferenceSession.create(await readFile(model), options);
const pixels = new Uint8Array(await readFile(image));
const batch = pixels.length / (height * width * 3);
const shape = [batch, Number(height), Number(width), 3];
const outputs = await session.run({ image: new ort.Tensor("uint8", pixels, shape) });
await writeFile(mask, outputs.mask.data);

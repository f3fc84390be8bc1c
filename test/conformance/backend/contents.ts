/** The fixed contents that the conformance tool asks for, each as small as its format allows. */
import { crc32, deflateSync } from 'node:zlib';

/** One red pixel. */
export const pngBase64 = createPng().toString('base64');
/** 8 kHz, one channel, no samples. */
export const wavBase64 = createWav().toString('base64');

export const text = (value: string) => ({ type: 'text' as const, text: value });
export const image = { type: 'image' as const, data: pngBase64, mimeType: 'image/png' };
export const audio = { type: 'audio' as const, data: wavBase64, mimeType: 'audio/wav' };

export function embedded(uri: string, mimeType: string, value: string) {
  return { type: 'resource' as const, resource: { uri, mimeType, text: value } };
}

/** A chunk of a PNG file: length, type, data, CRC (PNG specification §5.3). */
function pngChunk(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  const frame = Buffer.alloc(8);
  frame.writeUInt32BE(data.length, 0);
  frame.writeUInt32BE(crc32(body), 4);
  return Buffer.concat([frame.subarray(0, 4), body, frame.subarray(4)]);
}

function createPng(): Buffer {
  const header = Buffer.from([0, 0, 0, 1, 0, 0, 0, 1, 8, 2, 0, 0, 0]);
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  const pixel = deflateSync(Buffer.from([0, 0xff, 0, 0]));
  return Buffer.concat([
    signature,
    pngChunk('IHDR', header),
    pngChunk('IDAT', pixel),
    pngChunk('IEND', Buffer.alloc(0)),
  ]);
}

function createWav(): Buffer {
  const wav = Buffer.alloc(44);
  wav.write('RIFF', 0, 'latin1');
  wav.writeUInt32LE(36, 4);
  wav.write('WAVEfmt ', 8, 'latin1');
  wav.writeUInt32LE(16, 16);
  wav.writeUInt16LE(1, 20);
  wav.writeUInt16LE(1, 22);
  wav.writeUInt32LE(8000, 24);
  wav.writeUInt32LE(16_000, 28);
  wav.writeUInt16LE(2, 32);
  wav.writeUInt16LE(16, 34);
  wav.write('data', 36, 'latin1');
  return wav;
}

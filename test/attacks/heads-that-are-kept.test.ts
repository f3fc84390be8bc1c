/** Stops: a client that needs no token, and with small requests makes the gateway keep much memory for ever. */
import { setImmediate } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { createRequestReader } from '@valetkey/gateway/fast-path/read-request';
import { expect, test } from 'vitest';

/** As many as find a place, and many more. */
const heads = 20_000;
const headBytes = 500;

function callOf(index: number): Buffer {
  const name = `${index.toString(36)}-`.padEnd(headBytes, `${(index * 7919).toString(36)}z`);
  return Buffer.from(`POST /any HTTP/1.1\r\nHost: localhost\r\nX-A: ${name}\r\nContent-Length: 2\r\n\r\n{}`);
}

/** What the rest of the work takes of the pool from which Node makes small buffers. */
function workOn(): void {
  for (let each = 0; each < 40; each += 1) Buffer.allocUnsafe(1500);
}

/** After two collections: the memory of a buffer is freed behind the buffer. */
async function measureBytes(): Promise<number> {
  setFlagsFromString('--expose-gc');
  for (let round = 0; round < 2; round += 1) {
    (runInNewContext('gc') as () => void)();
    await setImmediate();
  }
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

test('A22: heads that come again and again are kept in a few megabytes, however many they are', async () => {
  const read = createRequestReader((path) => path === '/any');
  const before = await measureBytes();
  for (let index = 0; index < heads; index += 1) {
    const call = callOf(index);
    for (let time = 0; time < 2; time += 1) read(Buffer.from(call));
    workOn();
  }
  const kept = (await measureBytes()) - before;
  expect(read(callOf(heads - 1))?.head.url, 'the reader is there still').toBe('/any');
  expect(kept).toBeLessThan(20 * 1024 * 1024);
});

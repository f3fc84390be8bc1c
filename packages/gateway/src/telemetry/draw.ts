import type { RandomBytes } from '@valetkey/core/base/random';

const bytesPerNumber = 4;
const numbersAtOnce = 1024;

/** @returns numbers from 0 to below 1. Taken from the generator many at a time: one by one costs two microseconds each. */
export function createDraw(random: RandomBytes): () => number {
  let numbers = Buffer.alloc(0);
  let at = 0;
  return () => {
    if (at + bytesPerNumber > numbers.length) {
      numbers = Buffer.from(random(numbersAtOnce * bytesPerNumber));
      at = 0;
    }
    at += bytesPerNumber;
    return numbers.readUInt32BE(at - bytesPerNumber) / 2 ** 32;
  };
}

import type { RandomBytes } from '@valetkey/core/base/random';

const idBytes = 16;
const idsAtOnce = 256;

/**
 * Correlation ids: 128 random bits each, as 22 characters. Drawn from the generator many at once, since asking it costs
 * more than all else of an id. They name a request and open nothing.
 */
export function createRequestIds(random: RandomBytes): () => string {
  let pool = Buffer.alloc(0);
  let at = 0;
  return () => {
    if (at >= pool.length) {
      pool = Buffer.from(random(idBytes * idsAtOnce));
      at = 0;
    }
    at += idBytes;
    return pool.toString('base64url', at - idBytes, at);
  };
}

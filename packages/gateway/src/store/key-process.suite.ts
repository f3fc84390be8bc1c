/** Opens the key file named by its argument, for `key-file.integration.test.ts`, and prints the id of its current key. */
import { randomBytes } from 'node:crypto';
import { openKeyRing } from './key-file.ts';

const ring = await openKeyRing(process.argv[2] ?? '', randomBytes, { nowMs: () => Date.now() });
process.stdout.write(ring.ok ? ring.value.current('store').kid : `fault: ${ring.error.problem}`);

/**
 * Writes `packages/emulator/seed.schema.json` from the shape that a seed file is judged by. Its failure to catch: an
 * editor that accepts what the emulator refuses. `seed-file.test.ts` finds a stale file.
 */
import { writeFileSync } from 'node:fs';
import { renderSeedSchema } from '@valetkey/entra-emulator/seed-file';

writeFileSync(new URL('../packages/emulator/seed.schema.json', import.meta.url), renderSeedSchema());

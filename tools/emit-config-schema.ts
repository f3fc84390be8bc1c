/**
 * Writes `docs/reference/config.schema.json` from the schema that the gateway parses with. Its failure to catch:
 * a reference and an editor that accept what the gateway refuses. `json-schema.test.ts` finds a stale file.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { renderConfigJsonSchema } from '@valetkey/gateway/config/json-schema';

const folder = new URL('../docs/reference/', import.meta.url);
mkdirSync(folder, { recursive: true });
writeFileSync(new URL('config.schema.json', folder), renderConfigJsonSchema());

import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { renderConfigJsonSchema } from './json-schema.ts';

test('the committed JSON Schema is the one the gateway parses with (node --conditions=valetkey-source tools/emit-config-schema.ts)', () => {
  const committed = new URL('../../../../docs/reference/config.schema.json', import.meta.url);
  expect(readFileSync(committed, 'utf8')).toBe(renderConfigJsonSchema());
});

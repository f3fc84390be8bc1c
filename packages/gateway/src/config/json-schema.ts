import * as z from 'zod';
import { configSchema } from './schema.ts';

/** JSON Schema (2020-12) of the configuration file, for editors and for the reference. */
export function configJsonSchema(): Record<string, unknown> {
  const schema = z.toJSONSchema(configSchema, { io: 'input', target: 'draft-2020-12' });
  return { $schema: schema.$schema, title: 'Valetkey gateway configuration', ...schema };
}

/** The committed file, byte for byte. */
export function renderConfigJsonSchema(): string {
  return `${JSON.stringify(configJsonSchema(), null, 2)}\n`;
}

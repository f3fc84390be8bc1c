/**
 * Room `seed-file`: a seed as JSON in a file, every fault of it reported at once. `seed.schema.json` is written from the same
 * shape.
 */
import { readFile } from 'node:fs/promises';
import { GRAPH_CLIENT_ID, graphApp, type Seed } from './seed.ts';
import { findContradictions } from './seed-check.ts';
import { seedShape } from './seed-shape.ts';
import { describeFault, type JsonSchema, type ShapeFault } from './shape.ts';

/** A file of this package that an editor can hold a seed against. */
export function renderSeedSchema(): string {
  const { properties } = seedShape.schema;
  const schema = {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'Seed of the Entra emulator',
    ...seedShape.schema,
    properties: { $schema: { type: 'string' }, ...(properties as JsonSchema) },
  };
  return `${JSON.stringify(schema, null, 2)}\n`;
}

export type ParsedSeed =
  | { readonly ok: true; readonly seed: Seed }
  | { readonly ok: false; readonly faults: readonly ShapeFault[] };

/**
 * Reads a seed from JSON text. `$schema` may stand at its top. A tenant without Microsoft Graph gets it: no sign-in works
 * without.
 *
 * @returns the seed, or every fault with its path and remedy
 */
export function parseSeed(json: string): ParsedSeed {
  const parsed = parseJson(json);
  if ('problem' in parsed) {
    const remedy = 'write JSON: no comments, no commas at the end';
    return { ok: false, faults: [{ path: '$', problem: parsed.problem, remedy }] };
  }
  const value = withoutSchema(parsed.value);
  const faults = findSeedFaults(value);
  return faults.length > 0 ? { ok: false, faults } : { ok: true, seed: withGraph(value as Seed) };
}

/** What is wrong with a value as a seed: first its form, then what it says. */
export function findSeedFaults(value: unknown): readonly ShapeFault[] {
  const faults = seedShape.judge(value, '$');
  return faults.length > 0 ? faults : findContradictions(value as Seed);
}

/** @throws TypeError listing every fault of the file, one line each; the error of the file system when it cannot be read */
export async function readSeedFile(path: string): Promise<Seed> {
  const parsed = parseSeed(await readFile(path, 'utf8'));
  if (parsed.ok) return parsed.seed;
  throw new TypeError([`The seed ${path} is wrong:`, ...parsed.faults.map(describeFault)].join('\n  '));
}

/** V8 quotes the text around the mistake, and that text may be a password: only the place is kept. */
function parseJson(json: string): { readonly value: unknown } | { readonly problem: string } {
  try {
    return { value: JSON.parse(json) as unknown };
  } catch (problem) {
    const place = /position \d+(?: \(line \d+ column \d+\))?/.exec(String(problem))?.[0];
    return { problem: `is not JSON${place === undefined ? '' : ` (${place})`}` };
  }
}

function withoutSchema(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || !('$schema' in value)) return value;
  const { $schema: _, ...rest } = value;
  return rest;
}

function withGraph(seed: Seed): Seed {
  const tenants = seed.tenants.map((tenant) =>
    tenant.apps.some((app) => app.clientId === GRAPH_CLIENT_ID)
      ? tenant
      : { ...tenant, apps: [...tenant.apps, graphApp] },
  );
  return { ...seed, tenants };
}

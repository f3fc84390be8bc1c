/**
 * The configuration of `valetkey stdio`: one MCP server on the person's own machine. Its policy is the section of a
 * backend, word for word; there is no secret in it, so no references either.
 */
import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { err, ok, type Result } from '@valetkey/core/base/result';
import { type BackendRules, listRequirements } from '@valetkey/core/policy/rules';
import * as z from 'zod';
import { text } from './checked-text.ts';
import type { ConfigFault } from './fault.ts';
import { buildRules, listRuleFaults } from './rules.ts';
import { rulesShape } from './rules-schema.ts';
import { cloud, guid, path } from './schema.ts';
import { listShapeFaults } from './shape-faults.ts';
import { keepSound, type Sound } from './sound-parts.ts';
import { checkBackendName } from './word-rules.ts';
import { parseYaml } from './yaml.ts';

const variableName = /^[A-Z][A-Z0-9_]{0,63}$/;

const stdioSchema = z.strictObject({
  entra: z.strictObject({
    cloud,
    tenant: guid.describe('Id of the tenant whose people may sign in.'),
    clientId: guid.describe('Application (client) id of a public client registration.'),
  }),
  signIn: z
    .strictObject({
      way: z.enum(['auto', 'broker', 'browser', 'device-code']).default('auto'),
      tokenStore: z.enum(['keychain', 'file', 'memory']).default('keychain'),
      timeoutSeconds: z.int().min(1).max(900).default(300),
      cacheDirectory: path.optional(),
    })
    .prefault({}),
  server: z
    .strictObject({
      name: text(checkBackendName).default('stdio').describe('For the audit.'),
      ...rulesShape,
      identity: z
        .enum(['meta', 'environment', 'none'])
        .default('meta')
        .describe(
          'How the server is told who is calling: in `_meta` of each request, or once in its environment.',
        ),
      tokens: z
        .record(z.string().regex(variableName, 'is no name of a variable'), z.array(z.string().min(1)).min(1))
        .default({})
        .describe(
          'Access tokens of the person for the server, by name: scopes of one API. Delivered as `identity` is.',
        ),
      maxMessageBytes: z
        .int()
        .min(1024)
        .max(256 * 1024 * 1024)
        .default(10 * 1024 * 1024)
        .describe('Largest message in either direction.'),
    })
    .prefault({}),
  audit: z
    .strictObject({
      stderr: z.boolean().default(false).describe('One JSON line per record, on stderr.'),
      file: path.optional().describe('A file to append the records to.'),
    })
    .prefault({}),
});

/** Complete: every default filled in, every path absolute. */
export interface StdioConfig {
  readonly entra: { readonly cloud: StdioCloud; readonly tenant: string; readonly clientId: string };
  readonly signIn: {
    readonly way: 'auto' | 'broker' | 'browser' | 'device-code';
    readonly tokenStore: 'keychain' | 'file' | 'memory';
    readonly timeoutSeconds: number;
    readonly cacheDirectory?: string;
  };
  readonly server: {
    readonly name: string;
    readonly rules: BackendRules;
    /** Every scope that the rules name: between a person and their own machine there is no client to limit. */
    readonly scopes: readonly string[];
    readonly identity: 'meta' | 'environment' | 'none';
    readonly tokens: Readonly<Record<string, readonly string[]>>;
    readonly maxMessageBytes: number;
  };
  readonly audit: { readonly stderr: boolean; readonly file?: string };
}

export type StdioCloud =
  | 'public'
  | 'usgov'
  | 'china'
  | { readonly authorityHost: string; readonly graphHost: string };

/** Reads the file. @returns the configuration, or all its faults. */
export function loadStdioConfig(file: string): Result<StdioConfig, ConfigFault[]> {
  const content = readText(file);
  const document = content === undefined ? err([unreadable(file)]) : parseYaml(content);
  if (!document.ok) return document;
  const shape = stdioSchema.safeParse(document.value);
  const sound: SoundStdio = shape.success ? shape.data : (keepSound(stdioSchema, document.value) ?? {});
  const faults = [
    ...(shape.success ? [] : listShapeFaults(shape.error, stdioSchema)),
    ...listCrossFaults(sound),
  ];
  if (!shape.success || faults.length > 0) return err(faults);
  return ok(build(shape.data, (relative) => resolve(dirname(resolve(file)), relative)));
}

type SoundStdio = Sound<z.output<typeof stdioSchema>>;

function listCrossFaults({ entra, server = {} }: SoundStdio): ConfigFault[] {
  const { identity, tokens = {} } = server;
  const tenants = entra?.tenant === undefined ? undefined : [entra.tenant];
  return [
    ...(identity === 'none' && Object.keys(tokens).length > 0 ? [noWayForTokens] : []),
    ...listRuleFaults(server, ['server'], { tenants }),
  ];
}

const noWayForTokens: ConfigFault = {
  path: 'server.tokens',
  problem: 'names tokens, while `identity` is `none`',
  remedy: 'Set server.identity to `meta` or `environment`: tokens go the same way',
};

function build(
  { entra, signIn, server, audit }: z.output<typeof stdioSchema>,
  at: (relative: string) => string,
): StdioConfig {
  const { name, identity, tokens, maxMessageBytes } = server;
  const rules = buildRules(server);
  const named = listRequirements(rules).flatMap(({ scopes = [] }) => scopes);
  const { cacheDirectory, ...howToSignIn } = signIn;
  const { authorityHost, graphHost } = typeof entra.cloud === 'string' ? noHosts : entra.cloud;
  return {
    entra: { ...entra, cloud: typeof entra.cloud === 'string' ? entra.cloud : { authorityHost, graphHost } },
    signIn: {
      ...howToSignIn,
      ...(cacheDirectory === undefined ? {} : { cacheDirectory: at(cacheDirectory) }),
    },
    server: {
      name,
      rules,
      scopes: [...new Set(named)],
      identity,
      tokens,
      maxMessageBytes,
    },
    audit: { stderr: audit.stderr, ...(audit.file === undefined ? {} : { file: at(audit.file) }) },
  };
}

const noHosts = { authorityHost: '', graphHost: '' };

function readText(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}

function unreadable(file: string): ConfigFault {
  const remedy = 'Check the name, and that you may read it';
  return { path: file, problem: 'the configuration file cannot be read', remedy };
}

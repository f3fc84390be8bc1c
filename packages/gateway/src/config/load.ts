import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { err, ok, type Result } from '@valetkey/core/base/result';
import { buildConfig, federatedTokenVariable } from './build.ts';
import type { Config } from './config.ts';
import { listCrossFaults } from './cross-rules.ts';
import type { ConfigFault } from './fault.ts';
import { type Referring, resolveReferences, type Sections, type Surroundings } from './references.ts';
import { type ConfigFile, configSchema } from './schema.ts';
import { listShapeFaults } from './shape-faults.ts';
import { isUnsure, keepSound } from './sound-parts.ts';
import { parseYaml } from './yaml.ts';

export type { ConfigFault } from './fault.ts';
export type { Referring } from './references.ts';

export interface LoadOptions {
  /** The configuration file; or its `text`, for tests and for a file that came another way. */
  readonly source: { readonly file: string } | { readonly text: string };
  /** Where relative paths start. Default: the folder of the file, else the working directory. */
  readonly baseDirectory?: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Reads UTF-8 text; throws where it cannot. Default: the file system. */
  readonly readFile?: (path: string) => string;
  /**
   * The sections whose variables and files are read; whoever uses a secret of another one gets a TypeError.
   * Default: all, as a gateway needs them.
   */
  readonly needs?: readonly Referring[];
}

/**
 * Reads the configuration.
 *
 * @returns it complete, or every fault that can be seen at once: of shape, unresolved references and rules
 *   between values. No fault repeats a secret, not even one that was written into the file by mistake.
 */
export function loadConfig(options: LoadOptions): Result<Config, ConfigFault[]> {
  const loaded = loadConfigFile(options);
  return loaded.ok ? ok(loaded.value.config) : loaded;
}

export interface LoadedConfig {
  /** As written, with the defaults that depend on nothing else. */
  readonly file: ConfigFile;
  readonly config: Config;
}

/** The same, together with what was written. */
export function loadConfigFile(options: LoadOptions): Result<LoadedConfig, ConfigFault[]> {
  const { source, env, readFile = (path: string) => readFileSync(path, 'utf8') } = options;
  const ownFolder = 'file' in source ? dirname(resolve(source.file)) : resolve('.');
  const surroundings: Surroundings = { baseDirectory: options.baseDirectory ?? ownFolder, env, readFile };
  const text = readSource(source, readFile);
  if (!text.ok) return text;
  const document = parseYaml(text.value);
  if (!document.ok) return document;

  const shape = configSchema.safeParse(document.value);
  const sections: Sections = shape.success ? shape.data : (keepSound(configSchema, document.value) ?? {});
  const resolved = resolveReferences(sections, surroundings, options.needs);
  const crossFaults = listCrossFaults(sections, resolved);
  // What must go, or be another thing altogether, need not be told its shape.
  const settled = new Set(crossFaults.map(({ path }) => path));
  const shapeFaults = shape.success ? [] : listShapeFaults(shape.error, configSchema);
  const faults = [
    ...shapeFaults.filter(({ path }) => !settled.has(path)),
    ...resolved.faults,
    ...(resolved.unread.has('entra') ? [] : checkFederatedToken(sections, surroundings)),
    ...crossFaults,
  ];
  if (!shape.success || faults.length > 0) return err(faults);
  return ok({ file: shape.data, config: buildConfig(shape.data, resolved, surroundings) });
}

function readSource(
  source: LoadOptions['source'],
  readFile: (path: string) => string,
): Result<string, ConfigFault[]> {
  if ('text' in source) return ok(source.text);
  try {
    return ok(readFile(source.file));
  } catch {
    const remedy = 'Check the name, and that the gateway may read it';
    return err([{ path: source.file, problem: 'the configuration file cannot be read', remedy }]);
  }
}

export function checkFederatedToken({ entra }: Sections, { env }: Surroundings): ConfigFault[] {
  const identity = entra?.credential?.workloadIdentity;
  if (identity === undefined || identity.tokenFile !== undefined || env[federatedTokenVariable]) return [];
  if (isUnsure(identity, 'tokenFile')) return [];
  return [
    {
      path: 'entra.credential.workloadIdentity.tokenFile',
      problem: `is missing, and ${federatedTokenVariable} is not set`,
      remedy:
        'Write the path of the token file, or run the gateway where workload identity sets the variable',
    },
  ];
}

/** Resolves what the file only points at: `env:` and `file:` secrets, PEM files, the federated token's file. */
import { resolve } from 'node:path';
import { credentialReference } from './backend-credential.ts';
import type { BackendFile, ConfigFile } from './schema.ts';
import { complain, type ConfigFault, describePath } from './fault.ts';
import type { Sound } from './sound-parts.ts';
import { isReference } from './word-rules.ts';

/** The parts of the file that have their shape, so that one bad part does not hide the faults of the others. */
export type Sections = Sound<ConfigFile>;
export type SoundBackend = Sound<BackendFile>;

export interface Surroundings {
  readonly baseDirectory: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** @throws where the file cannot be read. */
  readonly readFile: (path: string) => string;
}

/** Sections that point at variables and files. */
const referring = ['entra', 'store', 'keys', 'clients', 'backends'] as const;
export type Referring = (typeof referring)[number];

interface Reference {
  readonly parts: readonly PropertyKey[];
  readonly text: string;
}

export interface Resolved {
  /** By path in the configuration file, such as `entra.credential.secret`. */
  readonly values: ReadonlyMap<string, string>;
  readonly faults: readonly ConfigFault[];
  /** Sections whose secrets nobody asked for. */
  readonly unread: ReadonlySet<Referring>;
}

/** @param needs the sections whose references are followed; those of the others need not lead anywhere. */
export function resolveReferences(
  sections: Sections,
  surroundings: Surroundings,
  needs: readonly Referring[] = referring,
): Resolved {
  const values = new Map<string, string>();
  const faults: ConfigFault[] = [];
  const isNeeded = createNeeds(sections, needs);
  for (const { parts, text } of listReferences(sections)) {
    if (!isNeeded(parts)) continue;
    const path = describePath(parts);
    const found = text.startsWith('env:')
      ? findVariable(text.slice('env:'.length), surroundings)
      : readReferencedFile(text.replace(/^file:/, ''), surroundings);
    if (typeof found === 'string') values.set(path, found);
    else faults.push({ path, ...found });
  }
  const unread = referring.filter((section) => !isNeeded([section, 'credential']));
  return { values, faults, unread: new Set(unread) };
}

/** Key Vault is opened with the credential of `entra`, unless an identity is named for it. */
function createNeeds({ keys }: Sections, needs: readonly Referring[]) {
  const usesVault = needs.includes('keys') && keys?.keyVault !== undefined;
  return ([section, part]: readonly PropertyKey[]): boolean => {
    if (needs.some((need) => need === section)) return true;
    return section === 'entra' && usesVault && (part === 'caFile' || keys.managedIdentity === undefined);
  };
}

/** Paths of the configuration are relative to its file, wherever the gateway is started from. */
export function resolvePath(path: string, { baseDirectory }: Surroundings): string {
  return resolve(baseDirectory, path);
}

function listReferences(sections: Sections): Reference[] {
  const { entra, clients, store, keys, backends = {} } = sections;
  const storeParts = typeof store === 'object' ? store : undefined;
  const listed: (readonly [readonly PropertyKey[], string | undefined])[] = [
    [['entra', 'credential', 'secret'], entra?.credential?.secret],
    [
      ['entra', 'credential', 'certificate', 'certificateFile'],
      asFile(entra?.credential?.certificate?.certificateFile),
    ],
    [
      ['entra', 'credential', 'certificate', 'privateKeyFile'],
      asFile(entra?.credential?.certificate?.privateKeyFile),
    ],
    [['entra', 'caFile'], asFile(entra?.caFile)],
    [['store'], typeof store === 'string' ? asReference(store) : undefined],
    [['store', 'url'], asReference(storeParts?.url)],
    [['store', 'password'], storeParts?.password],
    [['store', 'sentinelPassword'], storeParts?.sentinelPassword],
    [['store', 'caFile'], asFile(storeParts?.caFile)],
    [['keys', 'environment'], keys?.environment],
    [['clients', 'metadataDocuments', 'caFile'], asFile(clients?.metadataDocuments?.caFile)],
    ...(clients?.preRegistered ?? []).map(
      (client, index) => [['clients', 'preRegistered', index, 'secret'], client?.secret] as const,
    ),
    ...Object.entries(backends).map(
      ([name, backend]) =>
        [['backends', name, 'credential', 'value'], credentialReference(backend?.credential)] as const,
    ),
    ...Object.entries(backends).flatMap(([name, backend]) =>
      Object.entries(backend?.env ?? {}).map(
        ([key, value]) => [['backends', name, 'env', key], asReference(value)] as const,
      ),
    ),
  ];
  return listed.flatMap(([parts, text]) => (text === undefined ? [] : [{ parts, text }]));
}

/** For what may also be written out: an address without a password. */
function asReference(text: string | undefined): string | undefined {
  return text !== undefined && isReference(text) ? text : undefined;
}

function asFile(path: string | undefined): string | undefined {
  return path === undefined ? undefined : `file:${path}`;
}

function findVariable(name: string, { env }: Surroundings) {
  const value = env[name];
  if (value === undefined || value === '') {
    return complain(
      `the environment variable ${name} is not set, or empty`,
      `Set ${name} where the gateway is started`,
    );
  }
  return value;
}

/** One line end at the end is the editor's, not the secret's. */
function readReferencedFile(path: string, surroundings: Surroundings) {
  try {
    const value = surroundings.readFile(resolvePath(path, surroundings)).replace(/\r?\n$/, '');
    return value === '' ? complain(`the file ${path} is empty`, 'Put the value into it') : value;
  } catch {
    return complain(
      `the file ${path} cannot be read`,
      'Check that it exists, seen from the folder of the configuration file, and that the gateway may read it',
    );
  }
}

/** The `lifetimes`, `streams`, `leaver` and `keys` sections: how long things last, and what they are sealed with. */
import { Secret } from '@valetkey/core/base/secret';
import { parseKeyRing } from '@valetkey/core/crypto/key-ring';
import * as z from 'zod';
import type { KeysConfig } from './config.ts';
import { bounds, defaults } from './defaults.ts';
import { type ConfigFault, complain } from './fault.ts';
import { type Resolved, resolvePath, type Sections, type Surroundings } from './references.ts';
import type { ConfigFile } from './schema.ts';
import { isUnsure } from './sound-parts.ts';

function whole(name: keyof typeof bounds & keyof typeof defaults) {
  const standard: unknown = defaults[name];
  return z
    .int()
    .min(bounds[name].min)
    .max(bounds[name].max)
    .default(standard as number);
}

export const lifetimesSchema = z.strictObject({
  accessTokenSeconds: whole('accessTokenSeconds'),
  refreshTokenSeconds: whole('refreshTokenSeconds').describe(
    'From the last refresh: a client that was away for longer signs in again.',
  ),
  sessionSeconds: whole('sessionSeconds').describe('From the sign-in, however often it is refreshed.'),
  refreshReplaySeconds: whole('refreshReplaySeconds').describe(
    'How long the same refresh, sent again, gets the same tokens; 0: it ends the session at once.',
  ),
  registrationSeconds: whole('registrationSeconds').describe(
    'From the last token that a dynamically registered client got; 0: registrations are kept.',
  ),
  storeOutageSeconds: whole('storeOutageSeconds').describe(
    'While the store cannot be reached, valid access tokens go on working this long.',
  ),
  authorizationCodeSeconds: whole('authorizationCodeSeconds'),
  signInSeconds: whole('signInSeconds').describe('From /authorize to the callback.'),
  consentSeconds: whole('consentSeconds'),
  denialSeconds: whole('denialSeconds').describe('How long a Deny is remembered.'),
});

export const streamsSchema = z.strictObject({
  cutAtExpiry: z
    .boolean()
    .default(false)
    .describe(
      'Cut an open event stream when the access token it was opened with expires. Streams of a session that has ended are cut in any case.',
    ),
  keepAliveSeconds: whole('keepAliveSeconds').describe(
    'A comment is sent on an event stream that has been silent for this long, so that nothing on the way closes it; 0: never.',
  ),
});

export const leaverSchema = z.strictObject({
  checkSeconds: whole('checkSeconds').describe(
    'A person whom Entra lets in no more loses access within this time; 0: at the next refresh only.',
  ),
  graph: z
    .boolean()
    .default(false)
    .describe(
      'Also follow Microsoft Graph users/delta. Needs the application permission User.Read.All, with admin consent.',
    ),
});

const vaultKeyPattern = /^https:\/\/[\w.:-]+\/keys\/[\w-]+(\/[0-9a-f]{32})?$/;

export const keysSchema = z.strictObject({
  file: z
    .string()
    .min(1)
    .default(defaults.keyFile)
    .describe('Path of the key file, relative to the configuration file. Made at the first start, mode 600.'),
  environment: z
    .string()
    .regex(/^env:[A-Za-z_]\w*$/, 'is not env:NAME')
    .optional()
    .describe('env:NAME of a variable that holds the ring as JSON, in place of a file.'),
  keyVault: z
    .string()
    .regex(vaultKeyPattern, 'is not https://VAULT/keys/NAME')
    .optional()
    .describe(
      'An RSA key of Azure Key Vault that wraps the key file: without the vault the file is worth nothing.',
    ),
  managedIdentity: z
    .string()
    .optional()
    .describe('For keyVault: client id of a managed identity. Default: the credential of `entra`.'),
});

export function checkKeys(keys: Sections['keys'], { values }: Resolved): ConfigFault[] {
  if (keys === undefined) return [];
  const faults: ConfigFault[] = [];
  if (keys.environment !== undefined && keys.keyVault !== undefined)
    faults.push({
      path: 'keys.environment',
      ...complain('cannot be combined with keys.keyVault', 'Keep one of them'),
    });
  if (keys.managedIdentity !== undefined && keys.keyVault === undefined && !isUnsure(keys, 'keyVault'))
    faults.push({ path: 'keys.managedIdentity', ...complain('is for keys.keyVault only', 'Remove it') });
  const json = values.get('keys.environment');
  const ring = json === undefined ? undefined : parseKeyRing(parseJson(json));
  if (ring?.ok === false)
    faults.push({
      path: 'keys.environment',
      ...complain(
        `the variable holds no key ring (${ring.error})`,
        'Set it to what `valetkey keys new` prints',
      ),
    });
  return faults;
}

/** @param keys free of faults. */
export function buildKeys(
  keys: ConfigFile['keys'],
  resolved: Resolved,
  surroundings: Surroundings,
): KeysConfig {
  const json = resolved.values.get('keys.environment');
  if (keys.environment !== undefined && json !== undefined) {
    return { kind: 'environment', variable: keys.environment.slice('env:'.length), json: new Secret(json) };
  }
  const file = resolvePath(keys.file, surroundings);
  if (keys.keyVault === undefined) return { kind: 'file', file };
  const { keyVault: keyUrl, managedIdentity } = keys;
  return { kind: 'keyVault', file, keyUrl, ...(managedIdentity === undefined ? {} : { managedIdentity }) };
}

/** Not the parser's message: it quotes what it read. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

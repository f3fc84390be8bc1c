/**
 * Room `keys`: where the key ring is kept (a file, a variable, a file that Azure Key Vault unwraps), how a running
 * gateway notices a rotation, and the rotation itself. Knows nothing of what the keys seal.
 */
import type { Clock } from '@valetkey/core/base/clock';
import { nowSeconds } from '@valetkey/core/base/clock';
import type { RandomBytes } from '@valetkey/core/base/random';
import { err, ok, type Result } from '@valetkey/core/base/result';
import { createKeyRing, type KeyRing, type KeyRingFile, parseKeyRing } from '@valetkey/core/crypto/key-ring';
import type { KeysConfig } from '../config/config.ts';
import {
  findKeyFileVersion,
  type KeyFault,
  malformedKeyFile,
  openKeyFile,
  replaceKeyFile,
} from '../store/key-file.ts';
import { isWrappedRing, unwrapRing, type Wrapping, WrappingFailed, wrapRing } from './wrapped-ring.ts';

/** The ring at work, and as it is kept, which holds the secrets in the clear. */
export interface LoadedKeys {
  readonly ring: KeyRing;
  readonly file: KeyRingFile;
}

export interface KeySource {
  /** Reads the ring; the first time it is made where there is none. */
  load(): Promise<Result<LoadedKeys, KeyFault>>;
  /** Changes whenever the ring may have changed; cheap, for a poller. Undefined: cannot be told now. */
  version(): Promise<string | undefined>;
  /** Keeps another ring in its place. Refused where the gateway has no say over it. */
  save(file: KeyRingFile): Promise<Result<undefined, KeyFault>>;
}

export interface KeySourceOptions {
  readonly config: KeysConfig;
  readonly random: RandomBytes;
  readonly clock: Clock;
  /** For `keyVault`: how the file's key is wrapped. */
  readonly wrapping?: Wrapping;
}

export function createKeySource(options: KeySourceOptions): KeySource {
  const { config, random, clock } = options;
  if (config.kind === 'environment') return createVariableSource(config);
  const { file: path } = config;
  const wrapping = config.kind === 'keyVault' ? options.wrapping : undefined;

  const encode = async (file: KeyRingFile): Promise<object> =>
    wrapping === undefined ? file : wrapRing(file, wrapping, random);

  /** A plain file under a configuration that names a vault was made before: it is wrapped at the next rotation. */
  const decode = async (json: unknown): Promise<Result<unknown, KeyFault>> => {
    if (!isWrappedRing(json)) return ok(json);
    if (wrapping !== undefined) return unwrapRing(json, wrapping, path);
    return err({
      problem: `The key file ${path} is wrapped by Azure Key Vault (${json.keyId})`,
      remedy: 'Name the key in keys.keyVault.',
    });
  };

  return {
    version: () => findKeyFileVersion(path),

    async load() {
      const make = () => encode(createKeyRing(random, nowSeconds(clock)));
      const json = await orFault(path, openKeyFile(path, random, make));
      if (!json.ok) return json;
      const plain = await decode(json.value);
      if (!plain.ok) return plain;
      const ring = parseKeyRing(plain.value);
      // What parses as a ring is one.
      return ring.ok
        ? ok({ ring: ring.value, file: plain.value as KeyRingFile })
        : err(malformedKeyFile(path, ring.error));
    },

    save: (file) =>
      orFault(
        path,
        (async () => {
          await replaceKeyFile(path, random, await encode(file));
          return ok(undefined);
        })(),
      ),
  };
}

/** A file that the vault does not wrap is not written: the one before, or none, is what stays. */
async function orFault<Value>(
  path: string,
  work: Promise<Result<Value, KeyFault>>,
): Promise<Result<Value, KeyFault>> {
  try {
    return await work;
  } catch (fault) {
    if (!(fault instanceof WrappingFailed)) throw fault;
    return err({
      problem: `The key file ${path} cannot be wrapped: ${fault.message}`,
      remedy: fault.remedy,
    });
  }
}

function createVariableSource(config: Extract<KeysConfig, { kind: 'environment' }>): KeySource {
  return {
    version: async () => 'fixed',
    async load() {
      const json: unknown = JSON.parse(config.json.reveal());
      const ring = parseKeyRing(json);
      if (ring.ok) return ok({ ring: ring.value, file: json as KeyRingFile });
      return err({
        problem: `The variable ${config.variable} holds no key ring: ${ring.error}`,
        remedy: 'Set it to the ring that this store was used with; `valetkey keys new` prints a new one.',
      });
    },
    save: async () =>
      err({
        problem: `The key ring is in the variable ${config.variable}, which this process cannot change`,
        remedy:
          'Print the ring with `valetkey keys rotate --step stage`, restart the replicas with it one by one, and do ' +
          'the same with `--step use`.',
      }),
  };
}

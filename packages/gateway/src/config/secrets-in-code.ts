/**
 * Options written in code may hold secrets themselves, as files may not: they come from wherever the program got them.
 * Here they are put behind references, so that everything further on works as for a file.
 */
import { Secret } from '@valetkey/core/base/secret';
import { parseStoreUrl } from './store-url.ts';
import { isReference } from './word-rules.ts';

/** Where a secret may stand; `*` is every item of a list. */
const places: readonly (readonly string[])[] = [
  ['entra', 'credential', 'secret'],
  ['keys', 'environment'],
  ['store', 'password'],
  ['store', 'sentinelPassword'],
  ['clients', 'preRegistered', '*', 'secret'],
];

/** Where an address may stand that holds a password. */
const addresses: readonly (readonly string[])[] = [['store'], ['store', 'url']];

export interface WithoutSecrets {
  readonly options: unknown;
  /** Variables that the references in `options` name; for nobody's environment but this. */
  readonly env: Readonly<Record<string, string>>;
}

/** @returns a copy in which every secret value is a reference; what is wrong otherwise is left for the schema. */
export function hideSecrets(options: unknown): WithoutSecrets {
  const env: Record<string, string> = {};
  const hide = (text: string) => {
    const name = `VALETKEY_OPTION_${Object.keys(env).length + 1}`;
    env[name] = text;
    return `env:${name}`;
  };
  const isSecret = (text: string) => text !== '' && !isReference(text);
  let copy = options;
  for (const place of places) copy = changeAt(copy, place, (text) => (isSecret(text) ? hide(text) : text));
  for (const place of addresses) {
    copy = changeAt(copy, place, (text) => (isSecret(text) && holdsPassword(text) ? hide(text) : text));
  }
  return { options: copy, env };
}

function holdsPassword(text: string): boolean {
  const address = parseStoreUrl(text);
  return address.ok && address.value.driver !== 'sqlite' && address.value.password !== undefined;
}

function changeAt(value: unknown, path: readonly string[], change: (text: string) => string): unknown {
  const [name, ...rest] = path;
  if (name === undefined) {
    const text = value instanceof Secret ? value.reveal() : value;
    return typeof text === 'string' ? change(text) : value;
  }
  if (name === '*') return Array.isArray(value) ? value.map((item) => changeAt(item, rest, change)) : value;
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return value;
  return { ...value, [name]: changeAt(Reflect.get(value, name), rest, change) };
}

/** What stands where a command said that it needs nothing. */
import { Secret } from '@valetkey/core/base/secret';
import type { Referring, Resolved } from './references.ts';

/**
 * A part that reads what references lead to. Where its section was not asked for, a stand-in: whoever looks inside all
 * the same finds out at once, and not by an empty text that goes for a password.
 *
 * @param path of the part, for whoever has to add its section to what the command needs.
 */
export function readPart<Part extends object>(
  { unread }: Resolved,
  [section, path]: readonly [section: Referring, path: string],
  build: () => Part,
): Part {
  if (!unread.has(section)) return build();
  const refuse = () => {
    throw new TypeError(`${path} is used, but was not among what this command reads of the configuration`);
  };
  return new Proxy<Part>(Object.create(null) as Part, { get: refuse, has: refuse, ownKeys: refuse });
}

/** @throws TypeError where the reference was to be followed and nobody found what it leads to. */
export function secretOfBackend(resolved: Resolved, path: string): Secret {
  return readPart(resolved, ['backends', path], () => {
    const value = resolved.values.get(path);
    if (value === undefined) throw new TypeError(`unresolved reference at ${path}`);
    return new Secret(value);
  });
}

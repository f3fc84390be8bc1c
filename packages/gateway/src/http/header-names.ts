import { createRecent } from '@valetkey/core/base/recent';

const token = /^[\w!#$%&'*+.^`|~-]+$/;
const maxKnown = 500;
/** Longer names are looked at each time: what is remembered must not be large. */
const maxRemembered = 64;

/**
 * Names of headers in small letters, as keys of an object. The same few come again with every message, and to look one up
 * costs less than to check and to change it.
 *
 * @param isWelcome asked with the name in small letters; default: all are.
 * @returns undefined for what is no name (RFC 9110 §5.1), or would not be a key of its own: `constructor`, `__proto__`.
 */
export function createHeaderNames(
  isWelcome: (name: string) => boolean = () => true,
): (written: string) => string | undefined {
  const known = createRecent<string, string>(maxKnown);
  return (written) => {
    const found = known.get(written);
    if (found !== undefined) return found;
    const name = written.toLowerCase();
    if (!token.test(written) || name in {} || !isWelcome(name)) return undefined;
    if (written.length <= maxRemembered) known.set(written, name);
    return name;
  };
}

/**
 * A header as it was sent, from the flat list of names and values that Node calls `rawHeaders`. What `req.headers` says of
 * a header that was sent twice depends on its name, and `req.headersDistinct` builds all of them to tell one.
 *
 * @param name in small letters.
 * @returns the value; a list where it was sent more than once; undefined where it was not sent.
 */
export function findRawHeader(
  rawHeaders: readonly string[],
  name: string,
): string | readonly string[] | undefined {
  let found: string | undefined;
  let more: string[] | undefined;
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const each = rawHeaders[index] as string;
    if (each.length !== name.length || each.toLowerCase() !== name) continue;
    const value = rawHeaders[index + 1] as string;
    if (found === undefined) found = value;
    else more = [...(more ?? [found]), value];
  }
  return more ?? found;
}

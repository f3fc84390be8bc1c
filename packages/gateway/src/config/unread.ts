/**
 * Stands where a command said that it needs nothing: whoever looks inside all the same finds out at once, and not by
 * an empty text that goes for a password.
 *
 * @param path of the section, for whoever has to add it to what the command needs.
 */
export function unread<Part extends object>(path: string): Part {
  const refuse = () => {
    throw new TypeError(`${path} is used, but was not among what this command reads of the configuration`);
  };
  return new Proxy<Part>(Object.create(null) as Part, { get: refuse, has: refuse, ownKeys: refuse });
}

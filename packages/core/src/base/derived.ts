/**
 * What is made of an object that cannot change any more is made once, and remembered for as long as the object lives. Of
 * one that still can, it is made each time.
 *
 * @param make must depend on nothing but the object.
 */
export function createDerived<Source extends object, Made>(
  make: (source: Source) => Made,
): (source: Source) => Made {
  const made = new WeakMap<Source, Made>();
  return (source) => {
    const known = made.get(source);
    if (known !== undefined) return known;
    const fresh = make(source);
    if (Object.isFrozen(source)) made.set(source, fresh);
    return fresh;
  };
}

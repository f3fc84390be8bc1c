/** Credentials of which exactly one is written. */

export function listNamed(credential: object, kinds: readonly string[]): string[] {
  return kinds.filter((kind) => Reflect.get(credential, kind) !== undefined);
}

/** For `refine`. Looked at beside what else is wrong within: who removes one of two need not mend it first. */
export function oneOf(kinds: readonly string[]) {
  return {
    when: ({ value }: { readonly value: unknown }) => typeof value === 'object' && value !== null,
    error: ({ input }: { readonly input?: unknown }) => {
      const count = listNamed(Object(input), kinds).length;
      return count === 0 ? 'names no credential' : `names ${count} credentials`;
    },
    params: { remedy: `Write exactly one of ${kinds.join(', ')}` },
  };
}

/** The `scopes` section of a protected resource: what a client can ask for, and what of Entra's comes with it. */
import * as z from 'zod';
import { text } from './checked-text.ts';
import type { ResourceScope } from './config.ts';
import { isUnsure, type Sound, wholeList, wholeNames } from './sound-parts.ts';
import { checkScopeName } from './word-rules.ts';

const sentence = z.string().min(1).max(300);

const sentenceWithEntra = z.strictObject({
  description: sentence,
  entra: z
    .array(z.string().min(1).max(200))
    .min(1)
    .describe(
      'Scopes of Entra, such as Mail.Read, that whoever asks for this one consents to at the sign-in.',
    ),
});

export const scopesSchema = z
  .union([
    z.array(text(checkScopeName)).min(1),
    z
      .record(text(checkScopeName), z.union([sentence, sentenceWithEntra]))
      .refine((map) => Object.keys(map).length > 0, {
        message: 'is empty',
        params: { remedy: 'Name at least one scope, or leave scopes out' },
      }),
  ])
  .optional()
  .describe(
    'Scope names, or a map from name to a plain sentence for the consent page; in place of the sentence also ' +
      '{ description, entra } with the scopes of Entra that it brings. Default: <name>.use.',
  );

/** @returns the names of the scopes that a section has; undefined where one of them is in doubt. */
export function listScopeNames(
  name: string,
  section: { readonly scopes?: Sound<z.output<typeof scopesSchema>> | undefined },
): readonly string[] | undefined {
  const { scopes } = section;
  if (scopes === undefined) return isUnsure(section, 'scopes') ? undefined : [standardName(name)];
  return isList(scopes) ? wholeList(scopes) : wholeNames(scopes);
}

function isList<List extends readonly unknown[]>(scopes: List | object): scopes is List {
  return Array.isArray(scopes);
}

/** Of the scope that a resource has when none is named. */
export function standardName(name: string): string {
  return `${name}.use`;
}

/** @param title of the resource, for the sentences that nobody wrote. */
export function buildScopes(
  name: string,
  scopes: z.output<typeof scopesSchema>,
  title: string,
): readonly ResourceScope[] {
  if (scopes !== undefined && !Array.isArray(scopes)) {
    return Object.entries(scopes).map(([scope, told]) =>
      typeof told === 'string' ? { name: scope, description: told } : { name: scope, ...told },
    );
  }
  const names = [...new Set(scopes ?? [standardName(name)])];
  const only = names.length === 1;
  return names.map((scope) => ({
    name: scope,
    description: only ? `Use ${title}` : `Use ${title}: ${scope}`,
  }));
}

/**
 * Catches: a recording that carries a tenant into the repository. What may stay is listed; every other text becomes a
 * placeholder. Placeholders are numbered by value, so that what was the same is still seen to be the same.
 */
import type { Target } from './entra-probes.ts';

export type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json };

export interface Redactor {
  /** A text in which some words may stay: known values and everything that looks like one go. */
  words(text: string): string;
  /** A JSON value: only the text of members that mean the same in every tenant stays. */
  value(value: Json): Json;
}

/** Members whose texts are words of the protocol, in every tenant the same. */
const PROTOCOL = new Set(
  [
    'error suberror error_subcode token_type expires_in code api-version subject_types_supported',
    'response_modes_supported response_types_supported scopes_supported claims_supported',
    'id_token_signing_alg_values_supported token_endpoint_auth_methods_supported',
    'kty use alg e typ cloud_instance_name',
  ].flatMap((line) => line.split(' ')),
);
/** Of Entra's sentences the form stays. Their words do not: they name people, apps and tenants, and not always in quotes. */
const SENTENCE = /^(AADSTS\d+): [\s\S]*?(?<tail> Trace ID: \S+ Correlation ID: \S+ Timestamp: [^\n]+)?$/;

const patterns: readonly (readonly [kind: string, pattern: RegExp])[] = [
  ['jwt', /eyJ[\w-]+\.[\w-]*(?:\.[\w-]*)?/g],
  ['guid', /[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}/gi],
  ['mail', /[\w.+#-]+@[\w-]+(?:\.[\w-]+)+/g],
  ['time', /\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?Z?/g],
  ['tenant-domain', /[\w-]+(?:\.[\w-]+)*\.onmicrosoft\.(?:com|us|cn)/gi],
  ['address', /\b\d{1,3}(?:\.\d{1,3}){3}\b/g],
  ['quoted', /(?<=['‘"“])[^'’"”\n]+(?=['’"”])/g],
  ['encoded', /[A-Za-z0-9+/_~-]{24,}=*/g],
];

export function createRedactor(target: Target): Redactor {
  const numbers = new Map<string, Map<string, number>>();
  const placeholder = (kind: string, value: string) => {
    const known = numbers.get(kind) ?? new Map<string, number>();
    numbers.set(kind, known);
    const number = known.get(value.toLowerCase()) ?? known.size + 1;
    known.set(value.toLowerCase(), number);
    return `<${kind}-${number}>`;
  };
  const words = (text: string) => {
    const parts = splitBy(text, knownValues(target));
    const clean = patterns.reduce<readonly Part[]>(
      (rest, [kind, pattern]) => rest.flatMap((part) => splitByPattern(part, kind, pattern, placeholder)),
      parts,
    );
    return clean.map((part) => part.text).join('');
  };
  const text = (name: string | undefined, value: string) => {
    if (name === 'error_description') return sentence(value);
    if (name !== undefined && PROTOCOL.has(name) && /^[\w.:/-]{1,59}$/.test(value)) return words(value);
    return URL.canParse(value) && /^https?:/.test(value) ? url(value) : placeholder('text', value);
  };
  const sentence = (value: string) => {
    const [, code, tail = ''] = SENTENCE.exec(value) ?? [];
    return code === undefined ? placeholder('text', value) : `${code}: <sentence>${words(tail)}`;
  };
  /** Of an address: whose it is, and how many steps lead on. Words of a path stay only where the host is the target's. */
  const url = (value: string) => {
    const isOwn = [target.authority, target.graph, ...target.aliases].some((origin) =>
      value.startsWith(`${origin}/`),
    );
    return isOwn ? words(value) : placeholder('url', value);
  };
  const walk = (value: Json, name?: string): Json => {
    if (typeof value === 'string') return text(name, value);
    if (typeof value !== 'object' || value === null) return value;
    if (Array.isArray(value)) return value.map((item: Json) => walk(item, name));
    return Object.fromEntries(Object.entries(value).map(([each, item]) => [words(each), walk(item, each)]));
  };
  return { words, value: (value) => walk(value) };
}

interface Part {
  readonly text: string;
  /** A placeholder already: nothing is looked for in it. */
  readonly isDone: boolean;
}

/** What the person gave us, and so what we know to look for. The longest first: one may contain another. */
function knownValues(target: Target): readonly (readonly [value: string, placeholder: string])[] {
  const values: (readonly [string | undefined, string])[] = [
    ...[target.authority, target.graph, ...target.aliases].map((origin) => [origin, '<origin>'] as const),
    ...[target.authority, target.graph, ...target.aliases].map(
      (origin) => [new URL(origin).host, '<host>'] as const,
    ),
    [target.clientSecret, '<client-secret>'],
    [target.userToken, '<user-token>'],
    [target.redirectUri, '<redirect-uri>'],
    [target.clientId, '<client-id>'],
    [target.tenant, '<tenant>'],
  ];
  return values
    .flatMap(([value, name]) => (value === undefined || value === '' ? [] : [[value, name] as const]))
    .toSorted(([one], [other]) => other.length - one.length);
}

function splitBy(text: string, known: readonly (readonly [string, string])[]): readonly Part[] {
  return known.reduce<readonly Part[]>(
    (parts, [value, placeholder]) =>
      parts.flatMap((part) => {
        if (part.isDone) return [part];
        const pieces = part.text.split(new RegExp(value.replaceAll(/[^\w]/g, String.raw`\$&`), 'gi'));
        return pieces.flatMap((piece, index) => [
          ...(index === 0 ? [] : [{ text: placeholder, isDone: true }]),
          { text: piece, isDone: false },
        ]);
      }),
    [{ text, isDone: false }],
  );
}

function splitByPattern(
  part: Part,
  kind: string,
  pattern: RegExp,
  placeholder: (kind: string, value: string) => string,
): readonly Part[] {
  if (part.isDone) return [part];
  const found: Part[] = [];
  let from = 0;
  for (const match of part.text.matchAll(pattern)) {
    found.push({ text: part.text.slice(from, match.index), isDone: false });
    found.push({ text: placeholder(kind, match[0]), isDone: true });
    from = match.index + match[0].length;
  }
  return [...found, { text: part.text.slice(from), isDone: false }];
}

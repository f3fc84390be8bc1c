/** A recording is one probe's answer, redacted; and how two of them differ. */
import type { Probe, Target } from './entra-probes.ts';
import { createRedactor, type Json, type Redactor } from './redact-recording.ts';

export interface Recording {
  readonly probe: string;
  readonly status: number;
  /** Names with what may be known of their values. */
  readonly headers: Readonly<Record<string, string>>;
  /** JSON redacted; of a page, the AADSTS codes on it. */
  readonly body: Json;
}

/** Headers whose values are the same in every tenant; of others only that they are there. */
const PLAIN_HEADERS = ['content-type', 'cache-control', 'pragma', 'access-control-allow-origin'];
const TOLD_HEADERS = ['location', 'retry-after', 'www-authenticate', 'x-ms-request-id', 'client-request-id'];
const TIMEOUT_MS = 30_000;

export function canAsk(probe: Probe, target: Target): boolean {
  return probe.needs === undefined || (target[probe.needs] ?? '') !== '';
}

export async function record(probe: Probe, target: Target): Promise<Recording> {
  const redactor = createRedactor(target);
  const form = probe.form?.(target);
  const response = await fetch(probe.url(target), {
    method: probe.method,
    redirect: 'manual',
    headers: { accept: 'application/json', ...probe.headers?.(target) },
    signal: AbortSignal.timeout(TIMEOUT_MS),
    ...(form === undefined ? {} : { body: new URLSearchParams(form) }),
  });
  const text = await response.text();
  return {
    probe: probe.name,
    status: response.status,
    headers: describeHeaders(response.headers, redactor),
    body: describeBody(text, redactor),
  };
}

function describeHeaders(headers: Headers, redactor: Redactor): Record<string, string> {
  const told: Record<string, string> = {};
  for (const name of PLAIN_HEADERS) {
    const value = headers.get(name);
    if (value !== null) told[name] = redactor.words(value.toLowerCase());
  }
  for (const name of TOLD_HEADERS) {
    const value = headers.get(name);
    if (value !== null) told[name] = name === 'location' ? describeLocation(value, redactor) : '<there>';
  }
  return told;
}

/** Where it leads is the tenant's; the names of what it carries, and the error, are Entra's. */
function describeLocation(location: string, redactor: Redactor): string {
  if (!URL.canParse(location)) return '<relative>';
  const { searchParams } = new URL(location);
  const params = [...searchParams].map(([name, value]) =>
    ['error', 'error_subcode'].includes(name) ? `${name}=${redactor.words(value)}` : redactor.words(name),
  );
  return params.toSorted().join('&');
}

function describeBody(text: string, redactor: Redactor): Json {
  try {
    return redactor.value(JSON.parse(text) as Json);
  } catch {
    return { page: [...new Set(text.match(/AADSTS\d+/g))].toSorted() };
  }
}

/** What differs: status, errors, headers, members and their types. Texts and numbers may differ freely. */
export function compareRecordings(real: Recording, emulated: Recording): string[] {
  const at = (what: string) => `${real.probe}: ${what}`;
  const faults: string[] = [];
  if (real.status !== emulated.status)
    faults.push(at(`status ${real.status} at Entra, ${emulated.status} in the emulator`));
  faults.push(...compareNames('header', Object.keys(real.headers), Object.keys(emulated.headers)).map(at));
  const [there, here] = [real.headers['location'], emulated.headers['location']];
  if (there !== undefined && here !== undefined && there !== here)
    faults.push(at(`redirect with ${there} at Entra, ${here} in the emulator`));
  faults.push(...compareValues('', real.body, emulated.body).map(at));
  return faults;
}

function compareNames(kind: string, real: readonly string[], emulated: readonly string[]): string[] {
  return [
    ...real.filter((name) => !emulated.includes(name)).map((name) => `only Entra has the ${kind} ${name}`),
    ...emulated
      .filter((name) => !real.includes(name))
      .map((name) => `only the emulator has the ${kind} ${name}`),
  ];
}

const isObject = (value: Json | undefined): value is { readonly [name: string]: Json } =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const typeOf = (value: Json | undefined) =>
  Array.isArray(value) ? 'list' : value === null ? 'null' : typeof value;
/** Members whose values a client acts on: they must be equal, not only alike. */
const EXACT = new Set(['error', 'error_codes', 'suberror', 'error_subcode', 'page', 'token_type']);

function compareValues(path: string, real: Json, emulated: Json): string[] {
  const name = path.split('.').at(-1) ?? '';
  if (typeOf(real) !== typeOf(emulated))
    return [`${path || 'body'} is ${typeOf(real)} at Entra, ${typeOf(emulated)} in the emulator`];
  if (EXACT.has(name) && !isObject(real))
    return JSON.stringify(real) === JSON.stringify(emulated)
      ? []
      : [`${path} is ${JSON.stringify(real)} at Entra, ${JSON.stringify(emulated)} in the emulator`];
  if (Array.isArray(real) && Array.isArray(emulated)) {
    const [one, other] = [real[0] as Json | undefined, emulated[0] as Json | undefined];
    return one === undefined || other === undefined ? [] : compareValues(`${path}[]`, one, other);
  }
  if (!isObject(real) || !isObject(emulated)) return [];
  const inner = (member: string) => (path === '' ? member : `${path}.${member}`);
  const shared = Object.keys(real).filter((member) => member in emulated);
  return [
    ...compareNames('member', Object.keys(real).map(inner), Object.keys(emulated).map(inner)),
    ...shared.flatMap((member) =>
      compareValues(inner(member), real[member] ?? null, emulated[member] ?? null),
    ),
  ];
}

import { type AadstsEntry, aadstsEntries, type EntraErrorKind } from './aadsts-catalogue.ts';
import { isGuid } from './authority.ts';

const guidLength = 36;
const entries: ReadonlyMap<number, AadstsEntry> = new Map(aadstsEntries.map((entry) => [entry.code, entry]));

/** The catalogue's row of a code, or undefined. */
export function findAadsts(code: number): AadstsEntry | undefined {
  return entries.get(code);
}

/**
 * What a code means and who has to do what. Total: a code that the catalogue lacks gets an explanation that says so
 * and where Microsoft explains it.
 */
export function explainAadsts(code: number): AadstsEntry {
  return (
    entries.get(code) ?? {
      code,
      kind: 'operator',
      title: `Entra refused with AADSTS${code}`,
      forPerson: 'Try again; if it stays, tell the operator of this server the code and the time.',
      forOperator: `See https://login.microsoftonline.com/error?code=${code} and the sign-in log of the tenant.`,
      isRetryable: false,
      isConfirmed: false,
    }
  );
}

/** What an `error_description` of Entra tells beside its prose. */
export interface AadstsReference {
  readonly code?: number;
  /** Finds the attempt in the tenant's sign-in log. */
  readonly correlationId?: string;
  readonly traceId?: string;
}

/**
 * Reads code and ids out of an `error_description`: `AADSTS50011: … Trace ID: … Correlation ID: … Timestamp: …`.
 *
 * Only these parts are taken, each in a form that is safe to log and to show. At the callback the text comes from
 * whoever wrote the URL, so the prose itself is not for pages.
 */
export function parseAadsts(description: string): AadstsReference {
  const code = /AADSTS(\d{3,9})(?!\d)/.exec(description)?.[1];
  const correlationId = findGuid(description, 'Correlation ID');
  const traceId = findGuid(description, 'Trace ID');
  return {
    ...(code === undefined ? {} : { code: Number(code) }),
    ...(correlationId === undefined ? {} : { correlationId }),
    ...(traceId === undefined ? {} : { traceId }),
  };
}

/** The members of an OAuth error of Entra that decide what follows. */
export interface EntraError {
  /** `error` (RFC 6749 §5.2), when there was one. */
  readonly error?: string | undefined;
  readonly suberror?: string | undefined;
  /** AADSTS number: the first of `error_codes`, or from `parseAadsts`. */
  readonly code?: number | undefined;
}

const kindOfError: ReadonlyMap<string, EntraErrorKind> = new Map([
  ['access_denied', 'declined'],
  ['authorization_declined', 'declined'],
  ['interaction_required', 'interaction'],
  ['login_required', 'interaction'],
  ['consent_required', 'interaction'],
  ['account_selection_required', 'interaction'],
  ['insufficient_claims', 'interaction'],
  ['invalid_grant', 'interaction'],
  ['expired_token', 'interaction'],
  ['bad_verification_code', 'interaction'],
  ['authorization_pending', 'unavailable'],
  ['slow_down', 'unavailable'],
  ['temporarily_unavailable', 'unavailable'],
  ['server_error', 'unavailable'],
]);

const interactiveSuberrors: ReadonlySet<string> = new Set([
  'basic_action',
  'additional_action',
  'message_only',
  'consent_required',
  'user_password_expired',
  'bad_token',
  'token_expired',
  'protection_policy_required',
]);

/**
 * What follows from an error of Entra, most telling part first: a code that the catalogue knows, then `suberror`,
 * then `error`.
 *
 * A bare `invalid_grant` is `interaction`: a revoked or expired refresh token comes without any suberror. An error
 * that nobody knows is `operator`; no error at all (a proxy's page instead of Entra's answer) is `unavailable`.
 */
export function classifyEntraError({ error, suberror, code }: EntraError): EntraErrorKind {
  const known = code === undefined ? undefined : entries.get(code);
  if (known !== undefined) return known.kind;
  if (suberror !== undefined && interactiveSuberrors.has(suberror)) return 'interaction';
  if (error === undefined || error === '') return 'unavailable';
  return kindOfError.get(error) ?? 'operator';
}

function findGuid(text: string, label: string): string | undefined {
  const at = text.indexOf(`${label}: `);
  if (at < 0) return undefined;
  const candidate = text.slice(at + label.length + 2, at + label.length + 2 + guidLength);
  return isGuid(candidate) ? candidate.toLowerCase() : undefined;
}

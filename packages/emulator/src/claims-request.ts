/** The `claims` parameter (OpenID Connect Core §5.5), as far as Entra reads it. Everything else in it is accepted and ignored. */
import { AadstsError } from './errors.ts';

export interface ClaimsRequest {
  /** Authentication contexts the access token has to show: `{"access_token":{"acrs":{"value":"c1"}}}`. */
  readonly contexts: readonly string[];
  /** What the client can do: `cp1` means that it understands claims challenges, and gets long-lived tokens for that. */
  readonly capabilities: readonly string[];
  /** Conditional Access policies a challenge named: `capolids`, in older challenges `polids`. */
  readonly policyIds: readonly string[];
}

export const NO_CLAIMS: ClaimsRequest = { contexts: [], capabilities: [], policyIds: [] };

/** @throws AADSTS90023 for what is no JSON object */
export function parseClaims(text: string | null): ClaimsRequest {
  if (text === null || text === '') return NO_CLAIMS;
  const wanted = readObject(parseJson(text))['access_token'];
  const claims = readObject(wanted);
  return {
    contexts: readValues(claims['acrs']),
    capabilities: readValues(claims['xms_cc']),
    policyIds: [...readValues(claims['capolids']), ...readValues(claims['polids'])],
  };
}

/** The challenge a refusal carries: what has to be asked for in the next, interactive, request. */
export function writeChallenge(policyIds: readonly string[], contexts: readonly string[]): string {
  return JSON.stringify({
    access_token: {
      ...(contexts.length === 0 ? {} : { acrs: { essential: true, values: contexts } }),
      ...(policyIds.length === 0 ? {} : { capolids: { essential: true, values: policyIds } }),
    },
  });
}

function parseJson(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value;
  } catch {
    // Refused below, like every other text that is no object.
  }
  throw new AadstsError(90023, { reason: "The 'claims' parameter is not a valid JSON object." });
}

function readObject(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}

/** `value` or `values`; a challenge from 2017 writes `Values`. */
function readValues(claim: unknown): readonly string[] {
  const { value, values, Values } = readObject(claim);
  return [value, values, Values].flat().filter((each) => typeof each === 'string');
}

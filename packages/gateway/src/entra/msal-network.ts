/** MSAL's requests over this room's `Outbound`, and a note of how the last one went. */
import type { INetworkModule, NetworkRequestOptions, NetworkResponse } from '@azure/msal-node';
import type { Clock } from '@valetkey/core/base/clock';
import { isClaimsChallenge } from '@valetkey/core/entra/claims-challenge';
import type { Outbound, OutboundRequest } from './outbound.ts';
import { OutboundFailed } from './outbound.ts';

/**
 * MSAL's errors keep neither the HTTP status nor `Retry-After`, and the claims of a challenge in some of them only; all
 * three decide what a failure means.
 */
export interface LastAnswer {
  readonly status?: number;
  readonly retryAfterSeconds?: number;
  readonly claims?: string;
  readonly failed?: OutboundFailed;
}

export interface MsalNetwork {
  readonly module: INetworkModule;
  last(): LastAnswer;
}

export interface MsalNetworkOptions {
  readonly outbound: Outbound;
  readonly clock: Clock;
  /** When given, MSAL reaches no other origin: what it posts are codes, refresh tokens and credentials. */
  readonly onlyOrigin?: string;
}

/** One per operation, so that `last` cannot belong to somebody else's request. */
export function createMsalNetwork({ outbound, clock, onlyOrigin }: MsalNetworkOptions): MsalNetwork {
  let last: LastAnswer = {};

  async function send<Body>(request: OutboundRequest): Promise<NetworkResponse<Body>> {
    last = {};
    try {
      if (onlyOrigin !== undefined && new URL(request.url).origin !== onlyOrigin) {
        throw new OutboundFailed(new URL(request.url).host, 'not the authority');
      }
      const answer = await outbound.send(request);
      const retryAfterSeconds = parseRetryAfter(answer.headers['retry-after'], clock);
      const body = parseBody(answer.text);
      const claims = answer.status === 200 ? undefined : readClaimsChallenge(body);
      last = {
        status: answer.status,
        ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }),
        ...(claims === undefined ? {} : { claims }),
      };
      return { status: answer.status, headers: { ...answer.headers }, body: body as Body };
    } catch (error) {
      if (error instanceof OutboundFailed) last = { failed: error };
      throw error;
    }
  }

  return {
    last: () => last,
    module: {
      sendGetRequestAsync: (url, options) => send({ method: 'GET', url, ...headersOf(options) }),
      sendPostRequestAsync: (url, options) =>
        send({ method: 'POST', url, ...headersOf(options), body: options?.body ?? '' }),
    },
  };
}

function headersOf(options: NetworkRequestOptions | undefined) {
  return options?.headers === undefined ? {} : { headers: options.headers };
}

/** The OAuth error code that stands for an answer without one. */
export const NOT_JSON = 'invalid_response';

/** MSAL reads properties of the body without a look: a proxy's HTML page must reach it as an OAuth error. */
function parseBody(text: string): object {
  const notJson = { error: NOT_JSON, error_description: 'the answer is not a JSON object' };
  try {
    const body: unknown = JSON.parse(text);
    return typeof body === 'object' && body !== null && !Array.isArray(body) ? body : notJson;
  } catch {
    return notJson;
  }
}

/** @returns what can travel on in the address of a sign-in: a JSON object of a sane size. */
function readClaimsChallenge(body: object): string | undefined {
  const claims = 'claims' in body ? body.claims : undefined;
  return typeof claims === 'string' && isClaimsChallenge(claims) ? claims : undefined;
}

const maxRetryAfterSeconds = 3600;

/** RFC 9110 §10.2.3: seconds or an HTTP date. @returns 1 to 3600, or undefined when absent or unreadable. */
export function parseRetryAfter(header: string | undefined, clock: Clock): number | undefined {
  if (header === undefined) return undefined;
  const seconds = /^\d+$/u.test(header.trim())
    ? Number(header)
    : Math.ceil((Date.parse(header) - clock.nowMs()) / 1000);
  return Number.isNaN(seconds) ? undefined : Math.min(Math.max(seconds, 1), maxRetryAfterSeconds);
}

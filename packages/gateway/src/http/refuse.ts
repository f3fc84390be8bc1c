import type { Exchange } from './exchange.ts';
import { type ErrorView, renderErrorPage } from './pages/error-page.ts';
import { sendHtml, sendJson } from './respond.ts';

/** What the router itself can answer with. The texts are ours alone: never a message of an exception. */
export const refusals = {
  badFraming: {
    status: 400,
    error: 'invalid_request',
    title: 'This request is not valid',
    explanation: 'The request does not say clearly where it ends.',
    forOperator: 'A proxy in front must speak HTTP/1.1 or HTTP/1.0, with no transfer coding but chunked.',
  },
  badTarget: {
    status: 400,
    error: 'invalid_request',
    title: 'This address is not valid',
    explanation: 'The address contains something that this server does not accept.',
  },
  foreignHost: {
    status: 403,
    error: 'invalid_host',
    title: 'Wrong host name',
    explanation: 'This server does not answer to the host name in the request.',
    forOperator:
      'If a proxy stands in front, let it forward the original Host header, which must be that of publicUrl.',
  },
  foreignOrigin: {
    status: 403,
    error: 'invalid_origin',
    title: 'Wrong origin',
    explanation: 'Pages of this origin may not call this server.',
  },
  notFound: {
    status: 404,
    error: 'not_found',
    title: 'There is nothing here',
    explanation: 'No page and no MCP server has this address.',
    whatYouCanDo: 'Compare the address with the one you were given, letter by letter.',
  },
  wrongMethod: {
    status: 405,
    error: 'method_not_allowed',
    title: 'Not possible this way',
    explanation: 'This address exists, but not for this kind of request.',
  },
  tooLarge: {
    status: 413,
    error: 'invalid_request',
    title: 'The request is too large',
    explanation: 'The request carries more data than this address accepts.',
  },
  tooMany: {
    status: 429,
    error: 'temporarily_unavailable',
    title: 'Too many requests',
    explanation: 'Too many requests came from this network in a short time.',
    whatYouCanDo: 'Wait a moment, then try again.',
  },
  fault: {
    status: 500,
    error: 'server_error',
    title: 'Something went wrong here',
    explanation: 'The server met a fault of its own. It is recorded under the request number below.',
    whatYouCanDo: 'Try again. If it happens again, give the request number to your administrator.',
  },
  storeUnavailable: {
    status: 503,
    error: 'temporarily_unavailable',
    title: 'Not available right now',
    explanation: 'The server cannot reach its data at the moment. Nothing was changed.',
    whatYouCanDo: 'Try again in a few seconds.',
  },
  auditUnavailable: {
    status: 503,
    error: 'temporarily_unavailable',
    title: 'Not available right now',
    explanation: 'The server cannot write its records at the moment, and does nothing unrecorded.',
    whatYouCanDo: 'Try again in a minute.',
    forOperator:
      'The audit queue is full and audit.onOverflow is refuse: see the log, and the disk of audit.file.',
  },
} as const satisfies Record<string, Refusal>;

export interface Refusal extends Omit<ErrorView, 'requestId'> {
  readonly status: number;
  /** The OAuth error code, or ours where OAuth has none. */
  readonly error: string;
}

/** Answers with a page to a browser that navigates, and with JSON to everybody else. */
export function sendRefusal(exchange: Exchange, refusal: Refusal): void {
  const { status, error, ...view } = refusal;
  if (wantsPage(exchange)) {
    sendHtml(exchange, status, renderErrorPage({ ...view, requestId: exchange.id }));
    return;
  }
  sendJson(exchange, status, { error, error_description: view.explanation, request_id: exchange.id });
}

function wantsPage({ req }: Exchange): boolean {
  return (req.headers.accept ?? '').toLowerCase().includes('text/html');
}

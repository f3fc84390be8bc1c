import type { KoaContextWithOIDC } from 'oidc-provider';
import { renderErrorPage } from '../http/pages/error-page.ts';
import { sendHtml } from '../http/respond.ts';
import { findFacts } from './request-facts.ts';

/** What a person reads when an authorization request is refused before there is anywhere safe to redirect to. */
const explanations: Readonly<Record<string, string>> = {
  invalid_client:
    'The application that sent you here is not known to this server, or its description cannot be fetched.',
  invalid_redirect_uri: 'The application wants the answer at an address that it did not register.',
  invalid_request: 'The application sent a request that is not complete or not valid.',
  invalid_target: 'The application asked for an MCP server that is not here.',
  temporarily_unavailable: 'The server cannot reach its data, or Microsoft Entra, at the moment.',
  session_not_found: 'This sign-in was finished, took too long, or was begun in another browser.',
};

/** Renders oidc-provider's error as a page of ours. Its own message is for developers, and is shown as such. */
export function renderOAuthError(ctx: KoaContextWithOIDC, error: Error): void {
  const facts = findFacts(ctx.req);
  if (facts === undefined) return;
  const code = 'error' in error ? String(error.error) : 'server_error';
  const isLater = code === 'temporarily_unavailable';
  if (isLater) facts.exchange.res.setHeader('Retry-After', '5');
  const isOurs =
    ctx.status < 500 && 'error_description' in error && typeof error.error_description === 'string';
  // The page goes out through our own headers; Koa must not answer a second time.
  ctx.respond = false;
  sendHtml(
    facts.exchange,
    isLater ? 503 : ctx.status,
    renderErrorPage({
      title: 'This sign-in cannot go on',
      explanation: explanations[code] ?? 'The application sent a request that this server does not accept.',
      whatYouCanDo: isLater
        ? 'Try again in a few seconds.'
        : 'Go back to your application, remove the connection to this server and add it again.',
      ...(isOurs ? { forOperator: String('error_description' in error ? error.error_description : '') } : {}),
      requestId: facts.exchange.id,
      code,
    }),
  );
}

/** In place of a redirect that nobody asked for: see `holdBackRedirect`. @param location where it would have led. */
export function renderHeldBackRedirect(ctx: KoaContextWithOIDC, location: string | undefined): void {
  const facts = findFacts(ctx.req);
  if (facts === undefined) return;
  const code = location === undefined ? undefined : URL.parse(location)?.searchParams.get('error');
  ctx.respond = false;
  sendHtml(
    facts.exchange,
    400,
    renderErrorPage({
      title: 'This sign-in cannot go on',
      explanation:
        'The application sent a request that this server does not accept. It registered itself, so this page does not lead back to it by itself.',
      whatYouCanDo:
        'Go back to your application and connect again. Follow the link only if you know the address.',
      requestId: facts.exchange.id,
      ...(code ? { code } : {}),
      ...(location === undefined ? {} : { foreignUrl: location }),
    }),
  );
}

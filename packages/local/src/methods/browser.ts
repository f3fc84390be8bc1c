/**
 * The system's browser. MSAL's own interactive call cannot be cancelled and tells the person "success" before the code
 * is redeemed, so the loopback is ours; the URL, the redemption and the checks of the tokens are MSAL's.
 */
import { createHash, randomBytes } from 'node:crypto';
import { ResponseMode } from '@azure/msal-node';
import type { OpenBrowser } from '../open-browser.ts';
import { describeFailure } from '../entra-failure.ts';
import { reasonOfKind } from '../sign-in-failed.ts';
import { classifyEntraError, parseAadsts } from '@valetkey/core/entra/aadsts';
import type { LoopbackAnswer } from './loopback.ts';
import { openLoopback } from './loopback.ts';
import { NoSuchWay, orAborted, type Prompt } from './prompt.ts';

export interface BrowserOptions {
  readonly openBrowser: OpenBrowser;
  readonly authorityHost: string;
  readonly log: (line: string) => void;
}

export function createBrowserPrompt({ openBrowser, authorityHost, log }: BrowserOptions): Prompt {
  return async (client, { scopes, claims, loginHint, choosesAccount, signal }) => {
    const [state, nonce, verifier] = [randomText(), randomText(), randomText()];
    const loopback = await openLoopback(state);
    try {
      const asked = {
        scopes: [...scopes],
        redirectUri: loopback.redirectUri,
        ...(claims === undefined ? {} : { claims }),
      };
      const url = await client.getAuthCodeUrl({
        ...asked,
        state,
        nonce,
        responseMode: ResponseMode.FORM_POST,
        codeChallenge: createHash('sha256').update(verifier).digest('base64url'),
        codeChallengeMethod: 'S256',
        // MSAL drops the hint where the person is to choose.
        ...(choosesAccount ? { prompt: 'select_account' } : {}),
        ...(loginHint === undefined ? {} : { loginHint }),
      });
      // Discovery named this address: a page elsewhere would collect passwords in our name.
      if (new URL(url).origin !== authorityHost) throw describeFailure('invalid');
      log('Sign-in is needed: opening the browser.');
      await openBrowser(url).catch(() => {
        throw new NoSuchWay('no browser can be opened');
      });
      const answer = await orAborted(loopback.answer, signal);
      return await replying(answer, () => {
        const code = codeOf(answer.form);
        const clientInfo = answer.form.get('client_info');
        return client.acquireTokenByCode({
          ...asked,
          code,
          nonce,
          codeVerifier: verifier,
          ...(clientInfo === null ? {} : { clientInfo }),
        });
      });
    } finally {
      loopback.close();
    }
  };
}

async function replying<Value>(answer: LoopbackAnswer, redeem: () => Promise<Value>): Promise<Value> {
  try {
    const value = await redeem();
    answer.reply('signed-in');
    return value;
  } catch (error) {
    answer.reply(answer.form.get('error') === 'access_denied' ? 'declined' : 'failed');
    throw error;
  }
}

/** Only codes are taken out of an error: whoever can reach the loopback could have written its words. */
function codeOf(form: URLSearchParams): string {
  const error = form.get('error');
  if (error === null) return form.get('code') ?? '';
  const { code, correlationId } = parseAadsts(form.get('error_description') ?? '');
  const kind = classifyEntraError({ error, suberror: form.get('error_subcode') ?? undefined, code });
  throw describeFailure(reasonOfKind[kind], { code, correlationId });
}

/** 43 characters: also a PKCE verifier (RFC 7636 §4.1). */
const randomText = () => randomBytes(32).toString('base64url');

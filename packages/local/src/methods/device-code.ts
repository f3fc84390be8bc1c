/** A short code that the person types on any machine (RFC 8628): where no browser here could bring an answer back. */
import type { DeviceCodeRequest } from '@azure/msal-node';
import { parseHttpUrl } from '@valetkey/core/base/url';
import { describeFailure } from '../entra-failure.ts';
import { orAborted, type Prompt } from './prompt.ts';

/** What the person has to be shown. */
export interface DeviceCodePrompt {
  /** One sentence with both, made here. */
  readonly message: string;
  readonly verificationUri: string;
  readonly userCode: string;
}

/** @param show is called once, when there is a code. */
export function createDeviceCodePrompt(show: (prompt: DeviceCodePrompt) => void): Prompt {
  return async (client, { scopes, claims, signal }) => {
    const shown = Promise.withResolvers<never>();
    const request: DeviceCodeRequest = {
      scopes: [...scopes],
      ...(claims === undefined ? {} : { claims }),
      deviceCodeCallback({ verificationUri, userCode }) {
        const page = parseHttpUrl(verificationUri);
        // Both are shown in a terminal or a dialog: only what can be nothing else.
        if (!page.ok || !/^[A-Za-z0-9-]{4,24}$/.test(userCode)) {
          request.cancel = true;
          shown.reject(describeFailure('invalid'));
          return;
        }
        const { href } = page.value;
        const message = `To sign in, open ${href} in a browser and enter the code ${userCode}`;
        show({ message, verificationUri: href, userCode });
      },
    };
    const polling = client.acquireTokenByDeviceCode(request);
    try {
      const result = await orAborted(Promise.race([polling, shown.promise]), signal);
      if (result === null) throw describeFailure('invalid');
      return result;
    } catch (error) {
      // MSAL looks at this before each poll.
      request.cancel = true;
      throw error;
    }
  };
}

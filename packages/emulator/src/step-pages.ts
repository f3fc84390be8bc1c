/** The pages after the password: second factor, its registration, a device's confirmation, consent. Ids as Entra has them. */
import type { Permission } from './consent.ts';
import type { App } from './directory.ts';
import type { PageProblem } from './login-page.ts';
import { escapeHtml, htmlReply, renderProblem } from './pages.ts';
import type { Reply } from './request.ts';

interface StepPage {
  readonly action: string;
  readonly flow: string;
  readonly app: App;
  readonly username: string;
  readonly problem: PageProblem | undefined;
}

/** The code every second factor of the emulator shows. */
export const FACTOR_CODE = '246810';

export function renderFactorPage(page: StepPage): Reply {
  const fields = `<p>Enter the code of your authenticator app. In the emulator it is always ${FACTOR_CODE}.</p>
<label for="idTxtBx_SAOTCC_OTC">Code</label>
<input id="idTxtBx_SAOTCC_OTC" name="otc" inputmode="numeric" autocomplete="one-time-code">`;
  return renderStep(page, 'Enter code', fields, { id: 'idSubmit_SAOTCC_Continue', text: 'Verify' });
}

export function renderEnrolPage(page: StepPage): Reply {
  const fields = '<p>Your organization needs more information to keep your account secure.</p>';
  const button = { id: 'idSubmit_ProofUp_Redirect', text: 'Next', name: 'enrol' };
  return renderStep(page, 'More information required', fields, button);
}

export function renderConfirmPage(page: StepPage): Reply {
  const name = escapeHtml(page.app.seed.displayName);
  const fields = `<p>Are you trying to sign in to <strong>${name}</strong> on another device? Only continue if you downloaded the app from a store or website that you trust.</p>`;
  const button = { id: 'idSIButton9', text: 'Continue', name: 'confirm' };
  return renderStep(page, 'Are you trying to sign in?', fields, button);
}

export function renderConsentPage(
  page: StepPage & {
    readonly permissions: readonly Permission[];
    readonly isAdmin: boolean;
    /** The whole page is about the organization: nothing to tick. */
    readonly isForAll: boolean;
  },
): Reply {
  const lines = page.permissions
    .map(
      ({ resource, scope }) =>
        `<li data-scope="${escapeHtml(scope)}">${escapeHtml(resource.seed.displayName)}: ${escapeHtml(scope)}</li>`,
    )
    .join('\n');
  const tick =
    page.isAdmin && !page.isForAll
      ? '<p><input class="tick" type="checkbox" id="adminConsentCheckbox" name="forAll" value="1"> <label class="inline" for="adminConsentCheckbox">Consent on behalf of your organization</label></p>'
      : '';
  const heading = page.isForAll
    ? 'Permissions requested. Review for your organization'
    : 'Permissions requested';
  const fields = `<p><strong>${escapeHtml(page.app.seed.displayName)}</strong> would like to:</p>
<ul class="permissions">
${lines}
</ul>
${tick}`;
  return renderStep(page, heading, fields, { id: 'idSIButton9', text: 'Accept', name: 'consent' });
}

/** AADSTS90094 where administrators take requests: the person may ask. */
export function renderRequestPage(page: StepPage): Reply {
  const fields = `<p><strong>${escapeHtml(page.app.seed.displayName)}</strong> needs permission to access resources in your organization that only an admin can grant.</p>
<label for="justification">Enter justification for requesting this app</label>
<input id="justification" name="justification" autocomplete="off">`;
  const button = { id: 'idSIButton9', text: 'Request approval', name: 'requestApproval' };
  return renderStep(page, 'Approval required', fields, button);
}

/** Where a device's code is typed. */
export function renderDevicePage(action: string, userCode: string, problem: PageProblem | undefined): Reply {
  const body = `<h1>Enter code to allow access</h1>
<p class="tag">Local Entra ID emulator</p>
<p>Once you enter the code displayed on your app or device, it will have access to your account.</p>
${renderProblem(problem, 'errorText')}
<form method="post" action="${escapeHtml(action)}">
<label for="otc">Code</label>
<input id="otc" name="otc" autocomplete="off" spellcheck="false" value="${escapeHtml(userCode)}">
<div class="actions"><button type="submit" class="primary" id="idSIButton9">Next</button></div>
</form>`;
  return htmlReply(200, 'Sign in to your account', body);
}

function renderStep(
  page: StepPage,
  heading: string,
  fields: string,
  button: { readonly id: string; readonly text: string; readonly name?: string },
): Reply {
  const name = button.name === undefined ? '' : ` name="${button.name}" value="1"`;
  const body = `<h1>${heading}</h1>
<p class="tag">${escapeHtml(page.username)} · local Entra ID emulator</p>
${renderProblem(page.problem, 'stepError')}
<form method="post" action="${escapeHtml(page.action)}">
<input type="hidden" name="ctx" value="${escapeHtml(page.flow)}">
${fields}
<div class="actions">
<button type="submit" class="primary" id="${button.id}"${name}>${button.text}</button>
<button type="submit" id="idBtn_Back" name="cancel" value="1">Cancel</button>
</div>
</form>`;
  return htmlReply(200, heading, body);
}

/** Key Vault's refusals. Its errors have an `innererror` where a caller is expected to tell cases apart. */
import { jsonReply, type Reply } from '../request.ts';

interface VaultErrorExtras {
  readonly inner?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export class VaultError extends Error {
  readonly status: number;
  readonly code: string;
  readonly extras: VaultErrorExtras;

  constructor(status: number, code: string, message: string, extras: VaultErrorExtras = {}) {
    super(message);
    this.name = 'VaultError';
    this.status = status;
    this.code = code;
    this.extras = extras;
  }
}

export function badParameter(message: string): VaultError {
  return new VaultError(400, 'BadParameter', message);
}

export function keyNotFound(name: string): VaultError {
  const text = `A key with (name/id) ${name.slice(0, 200)} was not found in this key vault. If you recently deleted this key you may be able to recover it using the correct recovery command. For help resolving this issue, please see https://go.microsoft.com/fwlink/?linkid=2125182`;
  return new VaultError(404, 'KeyNotFound', text);
}

export function renderVaultError(error: VaultError): Reply {
  const { status, code, message, extras } = error;
  const inner = extras.inner === undefined ? {} : { innererror: { code: extras.inner } };
  return jsonReply(status, { error: { code, message, ...inner } }, extras.headers ?? {});
}

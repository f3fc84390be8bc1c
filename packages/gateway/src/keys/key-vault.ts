/** The two operations of Azure Key Vault that a wrapped ring needs (Key Vault REST 7.4: wrapKey, unwrapKey). */
import type { CloudConfig } from '../config/config.ts';
import type { AppTokens } from '../entra/app-tokens.ts';
import { type Outbound, OutboundFailed, type OutboundResponse } from '../entra/outbound.ts';
import { type Wrapping, WrappingFailed } from './wrapped-ring.ts';

export interface KeyVaultOptions {
  /** `https://VAULT/keys/NAME`, with a version or without: then the newest wraps. */
  readonly keyUrl: string;
  readonly tenantId: string;
  readonly cloud: CloudConfig;
  readonly tokens: AppTokens;
  readonly outbound: Outbound;
}

/** What a token for a vault is for, by cloud. */
const resources: Readonly<Record<CloudConfig['name'], string>> = {
  public: 'https://vault.azure.net',
  usgov: 'https://vault.usgovcloudapi.net',
  china: 'https://vault.azure.cn',
  custom: 'https://vault.azure.net',
};

const algorithm = 'RSA-OAEP-256';

/** Asked at start, at a rotation, and when the key file has changed; never for a request of a client. */
export function createKeyVaultWrapping(options: KeyVaultOptions): Wrapping {
  const { keyUrl, tokens, outbound } = options;
  const { origin, pathname } = new URL(keyUrl);
  const name = pathname.split('/').slice(0, 3).join('/');

  async function send(url: string, bytes: Uint8Array): Promise<{ kid: string; value: Uint8Array }> {
    const token = await tokens.get(options.tenantId, resources[options.cloud.name]);
    if (!token.ok)
      throw new WrappingFailed(
        `no token for Key Vault: ${token.error.description}`,
        'Check the credential, and that the identity exists in the tenant.',
      );
    let answer: OutboundResponse;
    try {
      answer = await outbound.send({
        method: 'POST',
        url: `${url}?api-version=7.4`,
        headers: { authorization: `Bearer ${token.value}`, 'content-type': 'application/json' },
        body: JSON.stringify({ alg: algorithm, value: Buffer.from(bytes).toString('base64url') }),
      });
    } catch (fault) {
      if (!(fault instanceof OutboundFailed)) throw fault;
      throw new WrappingFailed(
        fault.message,
        'Check that the gateway reaches the vault, then start it again.',
      );
    }
    return readAnswer(answer);
  }

  return {
    async wrap(key) {
      const { kid, value } = await send(`${keyUrl}/wrapkey`, key);
      return { keyId: kid, wrapped: value };
    },
    async unwrap(keyId, wrapped) {
      // The file says which version; it must not say which vault: the token would go wherever the file points.
      const id = URL.parse(keyId);
      if (id === null || id.origin !== origin || !id.pathname.startsWith(`${name}/`))
        throw new WrappingFailed(
          `the file was wrapped by another key (${id?.host ?? 'unreadable'}${id?.pathname ?? ''})`,
          `Name that key in keys.keyVault, or restore the file that ${keyUrl} has wrapped.`,
        );
      return (await send(`${id.href}/unwrapkey`, wrapped)).value;
    },
  };
}

function readAnswer({ status, text }: OutboundResponse): { kid: string; value: Uint8Array } {
  const body = parse(text);
  if (status === 200 && typeof body['kid'] === 'string' && typeof body['value'] === 'string')
    return { kid: body['kid'], value: Buffer.from(body['value'], 'base64url') };
  const error = body['error'];
  const code =
    typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : 'no code';
  throw new WrappingFailed(`Key Vault answered ${status} (${code.slice(0, 60)})`, remedyFor(status));
}

function remedyFor(status: number): string {
  if (status === 403) return 'Give the identity the role "Key Vault Crypto User" on the key.';
  if (status === 404)
    return 'Check the name of the key; recover it where it was deleted (soft delete keeps it).';
  return status === 429 || status >= 500 ? 'Try again in a moment.' : 'Check keys.keyVault and the identity.';
}

function parse(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

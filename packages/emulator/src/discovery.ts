/** Room `discovery`: OpenID metadata v1 and v2, instance discovery, JWKS. Read-only; knows no client and no person. */
import { type Directory, findTenant, isAlias } from './directory.ts';
import { AadstsError } from './errors.ts';
import { issuerV1, issuerV2, type Realm } from './realm.ts';
import { type EmulatorRequest, jsonReply, type Reply } from './request.ts';

const PUBLIC = { 'access-control-allow-origin': '*', 'cache-control': 'max-age=86400, private' };

/**
 * The browser's endpoints are on the origin that was asked, so that a browser without the local CA can sign in over http;
 * issuer, token endpoint and keys are always https, because Microsoft's libraries accept nothing else.
 */
export function handleMetadata(
  realm: Realm,
  request: EmulatorRequest,
  segment: string,
  version: 1 | 2,
): Reply {
  const tenant = tenantName(realm.directory, segment);
  const oauth = `/${tenant.path}/oauth2${version === 2 ? '/v2.0' : ''}`;
  return jsonReply(
    200,
    {
      token_endpoint: `${realm.httpsOrigin}${oauth}/token`,
      // Entra announces `self_signed_tls_client_auth` too; nothing here could judge a client's TLS certificate.
      token_endpoint_auth_methods_supported: ['client_secret_post', 'private_key_jwt', 'client_secret_basic'],
      jwks_uri: `${realm.httpsOrigin}/${tenant.path}/discovery${version === 2 ? '/v2.0' : ''}/keys`,
      response_modes_supported: ['query', 'fragment', 'form_post'],
      subject_types_supported: ['pairwise'],
      id_token_signing_alg_values_supported: ['RS256'],
      response_types_supported: [
        'code',
        'id_token',
        'code id_token',
        version === 2 ? 'id_token token' : 'token id_token',
      ],
      scopes_supported: ['openid', 'profile', 'email', 'offline_access'],
      issuer: version === 2 ? issuerV2(realm, tenant.issuerName) : issuerV1(realm, tenant.issuerName),
      request_uri_parameter_supported: false,
      userinfo_endpoint: `${realm.httpsOrigin}/oidc/userinfo`,
      authorization_endpoint: `${request.origin}${oauth}/authorize`,
      device_authorization_endpoint: `${realm.httpsOrigin}${oauth}/devicecode`,
      http_logout_supported: true,
      frontchannel_logout_supported: true,
      end_session_endpoint: `${request.origin}${oauth}/logout`,
      claims_supported: CLAIMS,
      tenant_region_scope: isAlias(segment) ? null : 'EU',
      cloud_instance_name: new URL(realm.httpsOrigin).host,
      cloud_graph_host_name: 'graph.windows.net',
      msgraph_host: new URL(realm.httpsOrigin).host,
      rbac_url: 'https://pas.windows.net',
    },
    PUBLIC,
  );
}

const CLAIMS = [
  'sub iss cloud_instance_name cloud_instance_host_name cloud_graph_host_name msgraph_host aud exp',
  'iat auth_time acr nonce preferred_username name tid ver at_hash c_hash email',
].flatMap((line) => line.split(' '));

/** `common` and `organizations` name no issuer: the literal `{tenantid}` stands in its place, as Entra writes it. */
function tenantName(directory: Directory, segment: string): { path: string; issuerName: string } {
  if (isAlias(segment)) return { path: segment.toLowerCase(), issuerName: '{tenantid}' };
  const { tenantId } = findTenant(directory, segment).seed;
  return { path: tenantId, issuerName: tenantId };
}

/** Which hosts are this cloud. @throws AADSTS50049 for a host that is not the emulator's */
export function handleInstance(realm: Realm, request: EmulatorRequest): Reply {
  const asked = request.query.get('authorization_endpoint');
  if (asked === null) throw new AadstsError(900144, { name: 'authorization_endpoint' });
  const hosts = [realm.httpsOrigin, realm.httpOrigin].map((origin) => new URL(origin).host);
  const url = URL.canParse(asked) ? new URL(asked) : undefined;
  if (url === undefined || !hosts.includes(url.host)) throw new AadstsError(50049);
  const segment = url.pathname.split('/')[1] ?? 'common';
  const [host] = hosts;
  return jsonReply(
    200,
    {
      tenant_discovery_endpoint: `${realm.httpsOrigin}/${segment}/v2.0/.well-known/openid-configuration`,
      'api-version': '1.1',
      metadata: [{ preferred_network: host, preferred_cache: host, aliases: [host] }],
    },
    PUBLIC,
  );
}

export function handleKeys(realm: Realm, segment: string): Reply {
  const { issuerName } = tenantName(realm.directory, segment);
  return jsonReply(200, realm.keys.publish(issuerV2(realm, issuerName)), PUBLIC);
}

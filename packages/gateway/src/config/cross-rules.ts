/** Rules between values. Each looks at the parts that have their shape, and is silent about the others. */
import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { checkCredentialScopes } from './backend-credential.ts';
import { checkBackendKind } from './backend-kind.ts';
import { type ConfigFault, describePath } from './fault.ts';
import type { Resolved, Sections, SoundBackend } from './references.ts';
import { checkQueue } from './resilience.ts';
import { listRuleFaults } from './rules.ts';
import { listScopeNames } from './scopes.ts';
import { checkKeys } from './sessions.ts';
import { isWritten, wholeList } from './sound-parts.ts';
import { checkStore } from './store.ts';
import { checkTelemetry } from './telemetry.ts';
import { isLoopbackUrl } from './url-rules.ts';

export function listCrossFaults(sections: Sections, resolved: Resolved): ConfigFault[] {
  const backends = Object.entries(sections.backends ?? {}).flatMap(([name, backend]) =>
    backend === undefined ? [] : [[name, backend] as const],
  );
  return [
    ...checkLoopback(sections),
    ...checkLifetimes(sections),
    ...checkPreRegistered(sections),
    ...checkPaths(backends),
    ...checkScopeSentences(backends),
    ...backends.flatMap(([name, backend]) => checkRules(name, backend, sections)),
    ...backends.flatMap(([name]) => checkHeaderValue(name, resolved)),
    ...backends.flatMap(([name, backend]) =>
      checkBackendKind(name, backend, {
        hasCredential: (backend.credential ?? 'none') !== 'none',
        hasHealth: isWritten(backend, 'health'),
        hasCircuit: isWritten(backend, 'circuit'),
        timeouts: backend.timeouts ?? {},
      }),
    ),
    ...backends.flatMap(([name, { credential }]) =>
      checkCredentialScopes(name, credential, sections.entra?.scopes ?? []),
    ),
    ...backends.flatMap(([name, backend]) => checkQueue(name, backend)),
    ...checkCertificate(resolved),
    ...checkStore(sections.store, resolved),
    ...checkKeys(sections.keys, resolved),
    ...checkTelemetry(sections.telemetry, sections.listen),
  ];
}

function checkLoopback({ publicUrl, clients }: Sections): ConfigFault[] {
  if (
    publicUrl === undefined ||
    clients?.metadataDocuments?.allowLoopback !== true ||
    isLoopbackUrl(publicUrl)
  )
    return [];
  return [
    {
      path: 'clients.metadataDocuments.allowLoopback',
      problem: 'lets anybody make this gateway fetch from its own machine',
      remedy: 'Remove it; it is for development, with a publicUrl on loopback',
    },
  ];
}

function checkLifetimes({ lifetimes = {} }: Sections): ConfigFault[] {
  const { accessTokenSeconds, refreshTokenSeconds, sessionSeconds } = lifetimes;
  if (refreshTokenSeconds === undefined) return [];
  const isRefreshShort = accessTokenSeconds !== undefined && refreshTokenSeconds < accessTokenSeconds;
  const isSessionShort = sessionSeconds !== undefined && sessionSeconds < refreshTokenSeconds;
  return [
    ...(isRefreshShort ? [refreshIsShort(accessTokenSeconds)] : []),
    ...(isSessionShort ? [sessionIsShort(refreshTokenSeconds)] : []),
  ];
}

function refreshIsShort(accessTokenSeconds: number): ConfigFault {
  return {
    path: 'lifetimes.refreshTokenSeconds',
    problem: 'is shorter than lifetimes.accessTokenSeconds, so no token could ever be refreshed',
    remedy: `Write at least ${accessTokenSeconds}`,
  };
}

function sessionIsShort(refreshTokenSeconds: number): ConfigFault {
  return {
    path: 'lifetimes.sessionSeconds',
    problem: 'is shorter than lifetimes.refreshTokenSeconds, which would promise more than it gives',
    remedy: `Write at least ${refreshTokenSeconds}, or a shorter lifetimes.refreshTokenSeconds`,
  };
}

function checkPreRegistered({ clients }: Sections): ConfigFault[] {
  const ids = (clients?.preRegistered ?? []).map((client) => client?.clientId);
  return ids.flatMap((id, index) =>
    id === undefined || ids.indexOf(id) === index
      ? []
      : [
          {
            path: `clients.preRegistered[${index}].clientId`,
            problem: 'occurs twice',
            remedy: 'Give each client its own id',
          },
        ],
  );
}

type Backends = readonly (readonly [name: string, backend: SoundBackend])[];

/** The path is what tells two resources apart; some clients and proxies change the case of it. */
function checkPaths(backends: Backends): ConfigFault[] {
  const owners = new Map<string, string>();
  return backends.flatMap(([name, backend]) =>
    listAddresses(backend).flatMap(([place, path]) => {
      const owner = owners.get(path.toLowerCase());
      owners.set(path.toLowerCase(), owner ?? name);
      if (owner === undefined || owner === name) return [];
      return [
        {
          path: describePath(['backends', name, ...place]),
          problem: `is also an address of the backend ${owner}`,
          remedy: 'Give each backend addresses of its own; capital and small letters count as equal',
        },
      ];
    }),
  );
}

function listAddresses({ path, legacySse }: SoundBackend): (readonly [readonly string[], string])[] {
  const older = Object.entries(legacySse ?? {}).map(([key, value]) => [['legacySse', key], value] as const);
  const all = [[['path'], path] as const, ...older];
  return all.flatMap(([place, address]) => (address === undefined ? [] : [[place, address] as const]));
}

/** One name must mean one thing on the consent page. */
function checkScopeSentences(backends: Backends): ConfigFault[] {
  const known = new Map<string, { readonly backend: string; readonly sentence: string }>();
  const faults: ConfigFault[] = [];
  for (const [backend, { scopes }] of backends) {
    if (scopes === undefined || Array.isArray(scopes)) continue;
    for (const [scope, told] of Object.entries(scopes)) {
      const sentence = typeof told === 'string' ? told : told?.description;
      if (sentence === undefined) continue;
      const first = known.get(scope) ?? { backend, sentence };
      known.set(scope, first);
      if (first.sentence === sentence) continue;
      faults.push({
        path: describePath(['backends', backend, 'scopes', scope]),
        problem: `has another sentence than at the backend ${first.backend}`,
        remedy: 'Use one sentence for one scope, or two names',
      });
    }
  }
  return faults;
}

function checkRules(name: string, backend: SoundBackend, { entra }: Sections): ConfigFault[] {
  return listRuleFaults(backend, ['backends', name], {
    scopes: listScopeNames(name, backend),
    tenants: entra?.tenant === undefined ? undefined : wholeList([entra.tenant].flat()),
  });
}

function checkHeaderValue(name: string, { values }: Resolved): ConfigFault[] {
  const path = describePath(['backends', name, 'credential', 'value']);
  const value = values.get(path);
  if (value === undefined || /^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?$/.test(value)) return [];
  return [
    {
      path,
      problem: 'the secret it points at cannot stand in a header: only visible ASCII, no line break',
      remedy: 'Check the variable or the file for a stray character',
    },
  ];
}

function checkCertificate({ values }: Resolved): ConfigFault[] {
  const base = 'entra.credential.certificate';
  const certificatePem = values.get(`${base}.certificateFile`);
  const privateKeyPem = values.get(`${base}.privateKeyFile`);
  const faults: ConfigFault[] = [];
  const certificate = certificatePem === undefined ? undefined : parseCertificate(certificatePem);
  const key = privateKeyPem === undefined ? undefined : parsePrivateKey(privateKeyPem);
  if (certificatePem !== undefined && certificate === undefined) {
    faults.push({
      path: `${base}.certificateFile`,
      problem: 'is no PEM certificate',
      remedy: 'Export it as PEM (-----BEGIN CERTIFICATE-----)',
    });
  }
  if (privateKeyPem !== undefined && key === undefined) {
    faults.push({
      path: `${base}.privateKeyFile`,
      problem: 'is no PEM private key, or is encrypted',
      remedy: 'Export it as unencrypted PEM, readable by the gateway only',
    });
  }
  if (certificate !== undefined && key !== undefined && !certificate.checkPrivateKey(key)) {
    faults.push({
      path: `${base}.privateKeyFile`,
      problem: 'does not belong to the certificate',
      remedy: 'Use the key that the certificate was made for',
    });
  }
  return faults;
}

function parseCertificate(pem: string): X509Certificate | undefined {
  try {
    return new X509Certificate(pem);
  } catch {
    return undefined;
  }
}

function parsePrivateKey(pem: string): KeyObject | undefined {
  try {
    return createPrivateKey(pem);
  } catch {
    return undefined;
  }
}

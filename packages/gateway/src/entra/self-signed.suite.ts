/** A self-signed RSA certificate (RFC 5280 §4.1, the least that parses), so that no test key lies in the repository. */
import { generateKeyPairSync, sign } from 'node:crypto';

export interface TestCertificate {
  readonly certificatePem: string;
  readonly privateKeyPem: string;
}

/** @param address an IPv4 address that a TLS client shall accept it for; without one it names no server. */
export function createSelfSigned(nowMs: number, address?: string): TestCertificate {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const sha256WithRsa = sequence(der(0x06, Buffer.from('2a864886f70d01010b', 'hex')), der(0x05));
  const commonName = sequence(
    der(0x06, Buffer.from('550403', 'hex')),
    der(0x0c, Buffer.from('valetkey test')),
  );
  const name = sequence(der(0x31, commonName));
  const day = 24 * 3600 * 1000;
  const toBeSigned = sequence(
    der(0xa0, der(0x02, Buffer.from([2]))),
    der(0x02, Buffer.from([1])),
    sha256WithRsa,
    name,
    sequence(utcTime(nowMs - day), utcTime(nowMs + day)),
    name,
    publicKey.export({ format: 'der', type: 'spki' }),
    ...(address === undefined ? [] : [subjectAlternativeName(address)]),
  );
  const signature = der(0x03, Buffer.from([0]), sign('sha256', toBeSigned, privateKey));
  const base64 = sequence(toBeSigned, sha256WithRsa, signature).toString('base64');
  const lines = base64.match(/.{1,64}/gu) ?? [];
  return {
    certificatePem: `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`,
    privateKeyPem: privateKey.export({ format: 'pem', type: 'pkcs8' }).toString(),
  };
}

/** RFC 5280 §4.2.1.6, with an `iPAddress` as its only name. */
function subjectAlternativeName(address: string): Buffer {
  const names = sequence(der(0x87, Buffer.from(address.split('.').map(Number))));
  return der(0xa3, sequence(sequence(der(0x06, Buffer.from('551d11', 'hex')), der(0x04, names))));
}

const sequence = (...parts: Buffer[]) => der(0x30, ...parts);

function utcTime(ms: number): Buffer {
  const digits = new Date(ms).toISOString().replaceAll(/[-:T]|\.\d+/gu, '');
  return der(0x17, Buffer.from(digits.slice(2)));
}

function der(tag: number, ...parts: Buffer[]): Buffer {
  const content = Buffer.concat(parts);
  const { length } = content;
  const size =
    length < 128 ? [length] : length < 256 ? [0x81, length] : [0x82, Math.floor(length / 256), length % 256];
  return Buffer.concat([Buffer.from([tag, ...size]), content]);
}

import { expect, test } from 'vitest';
import { createGuardedFetch, isPublicAddress } from './guarded-fetch.ts';

test.each([
  '127.0.0.1',
  '10.0.0.1',
  '192.168.1.1',
  '172.16.0.1',
  '169.254.169.254',
  '0.0.0.0',
  '100.64.0.1',
  '::1',
  '::',
  'fe80::1',
  'fc00::1',
  '::ffff:127.0.0.1',
  '::ffff:169.254.169.254',
  '64:ff9b::7f00:1',
  '::127.0.0.1',
  '2002:7f00:1::',
  'fec0::1',
  '5f00::1',
  '168.63.129.16',
  '::ffff:168.63.129.16',
  '100.100.100.200',
  '224.0.0.1',
  '255.255.255.255',
  'not-an-address',
])('ToolHive #6351: %s is not public', (address) => {
  expect(isPublicAddress(address)).toBe(false);
});

test.each(['93.184.216.34', '2606:2800:220:1:248:1893:25c8:1946'])('%s is public', (address) => {
  expect(isPublicAddress(address)).toBe(true);
});

test.each([
  'http://example.com/client.json',
  'file:///etc/passwd',
  'https://user:pass@example.com/client.json',
  'https://127.0.0.1/client.json',
  'https://[::1]/client.json',
  'https://2130706433/client.json',
  'https://0x7f.1/client.json',
  'https://169.254.169.254/metadata',
])('CVE-2026-26118, ToolHive #6351: %s is not fetched', async (url) => {
  await expect(createGuardedFetch({ allowSpecialAddresses: false })(url, {})).rejects.toThrow(
    /https URLs|not public/,
  );
});

test('a name that resolves to loopback is not fetched either', async () => {
  const fetchFromStranger = createGuardedFetch({ allowSpecialAddresses: false });
  await expect(fetchFromStranger('https://localhost/client.json', {})).rejects.toThrow(/not public/);
});

/** Stops: script, or any text of a stranger's, on the page that explains why Entra did not sign a person in. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Product, startProduct } from '../support/product.ts';
import { allow, goToConsent } from '../support/sign-in-steps.ts';
import { xssCorpus } from '../support/xss-corpus.ts';

let product: Product;
beforeAll(async () => {
  product = await startProduct();
});
afterAll(() => product.close());

test('CVE-2025-62800 D28: whatever a callback claims to be the error, the page repeats none of it', async () => {
  for (const payload of xssCorpus) {
    const at = await goToConsent(product);
    const entraUrl = new URL((await allow(at)).location ?? '');
    const callback = new URL('/auth/callback', product.url);
    callback.searchParams.set('state', entraUrl.searchParams.get('state') ?? '');
    callback.searchParams.set('error', payload);
    callback.searchParams.set('error_description', `AADSTS50105: ${payload} Correlation ID: ${payload}`);
    callback.searchParams.set('error_uri', payload);
    const { status, text, headers } = await at.browser.request(callback.href);
    expect(status).toBe(403);
    expect(text).toContain('AADSTS50105');
    // The page has markup of its own, so what it does with the payload is judged without that.
    const words = text.replaceAll(/<style>.*?<\/style>/gs, '');
    if (payload.length > 8) expect(words).not.toContain(payload);
    expect(words).not.toMatch(/<script|onerror|onload|javascript:/i);
    expect(headers.get('content-security-policy')).toContain("default-src 'none'");
  }
});

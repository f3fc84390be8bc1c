import { afterAll, beforeAll, expect, test } from 'vitest';
import { callMcp, obtainTokens, readMessage } from '../support/oauth-client.ts';
import { type Product, startProduct } from '../support/product.ts';

let product: Product;
beforeAll(async () => {
  product = await startProduct();
});
afterAll(() => product.close());

test('A51: from discovery to a tool call, over plain HTTP', async () => {
  const { accessToken } = await obtainTokens(product, product.people.reader);
  const response = await callMcp(product.mcpUrl, accessToken, 'tools/list');
  const message = await readMessage(response);
  expect(response.status).toBe(200);
  expect(JSON.stringify(message)).toContain('hello_mcp');
});

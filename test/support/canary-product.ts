import { type CanaryBackend, startCanaryBackend } from './canary-backend.ts';
import { obtainTokens } from './oauth-client.ts';
import { type Product, snippetsBackend, startProduct } from './product.ts';

/** A gateway before a backend that writes down what arrives, and the access token of a reader. */
export interface CanaryProduct {
  readonly product: Product;
  readonly canary: CanaryBackend;
  readonly token: string;
  close(): Promise<void>;
}

/** @param backends default: the canary in place of the snippets server, with its rules. */
export async function startCanaryProduct(
  backends: (canaryUrl: string) => Record<string, unknown> = (url) => ({ snippets: snippetsBackend(url) }),
): Promise<CanaryProduct> {
  const canary = await startCanaryBackend();
  const product = await startProduct({ backends: () => backends(canary.url) });
  const { accessToken: token } = await obtainTokens(product, product.people.reader);
  return {
    product,
    canary,
    token,
    async close() {
      await product.close();
      await canary.close();
    },
  };
}

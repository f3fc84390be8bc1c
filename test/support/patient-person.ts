/** A person who goes through every page there is: consent here, account, password, second factor and consent at Entra. */
import { type Answer, createHttpBrowser, type HttpBrowser } from './http-person.ts';
import type { Person } from './product.ts';

export interface PatientPerson {
  readonly browser: HttpBrowser;
  /** What was shown on the way, in order: `decision`, `passwd`, `otc`, `consent Mail.Read`. */
  readonly seen: string[];
  /** Everything that Entra was asked for by the browser. */
  readonly asked: URLSearchParams[];
  /** @returns the first answer that leads away from both, or that nobody can go on from. */
  signIn(authorizeUrl: string): Promise<Answer>;
}

interface Step {
  /** The name of a field of the page. */
  readonly field: string;
  readonly fill: Record<string, string>;
}

export function createPatientPerson(
  person: Person,
  origins: { readonly server: string; readonly entra: string },
  browser: HttpBrowser = createHttpBrowser(),
): PatientPerson {
  const own = [origins.server, origins.entra];
  const seen: string[] = [];
  const asked: URLSearchParams[] = [];
  const steps: readonly Step[] = [
    { field: 'decision', fill: { decision: 'allow' } },
    { field: 'passwd', fill: { loginfmt: person.username, passwd: person.password } },
    { field: 'otc', fill: { otc: '246810' } },
    { field: 'consent', fill: { consent: '1' } },
  ];

  /** One hop at a time, so that each question to Entra is seen. */
  async function follow(first: Answer): Promise<Answer> {
    let answer = first;
    for (let hops = 0; answer.location !== undefined; hops += 1) {
      const url = new URL(answer.location);
      if (hops > 20 || !own.includes(url.origin)) return answer;
      if (url.origin === origins.entra && url.pathname.endsWith('/authorize')) asked.push(url.searchParams);
      answer = await browser.request(answer.location);
    }
    return answer;
  }

  return {
    browser,
    seen,
    asked,
    async signIn(authorizeUrl) {
      let answer = await follow(await browser.request(authorizeUrl));
      for (let pages = 0; pages < 10; pages += 1) {
        const step = steps.find(({ field }) => answer.text.includes(`name="${field}"`));
        if (step === undefined || answer.location !== undefined) return answer;
        const scopes = [...answer.text.matchAll(/data-scope="([^"]+)"/g)].map(([, scope]) => scope);
        seen.push([step.field, ...scopes].join(' '));
        answer = await follow(await browser.submit(answer, step.fill, []));
      }
      return answer;
    },
  };
}

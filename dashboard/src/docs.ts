import { readStored, store } from './storage.js';

/** The global that swagger-ui-bundle.js makes. */
declare const SwaggerUIBundle: ((options: Record<string, unknown>) => unknown) & { presets: { apis: unknown } };

interface SwaggerRequest {
  url: string;
  method?: string;
}

const CONFIRMED = 'port-allocator-docs-may-write';
/** The same, also where the browser keeps nothing for sites. */
let isConfirmed = false;
/** Methods that change nothing. */
const SAFE = ['GET', 'HEAD', 'OPTIONS'];

/** Lets a request go that changes nothing. Before the first other one of a tab, asks the person whether it is meant. */
async function confirmWrites(request: SwaggerRequest): Promise<SwaggerRequest> {
  const method = (request.method ?? 'GET').toUpperCase();
  if (SAFE.includes(method) || isConfirmed || readStored('sessionStorage', CONFIRMED) !== null) return request;
  const { pathname } = new URL(request.url, document.baseURI);
  if (!(await confirm(`${method} ${pathname}`))) throw new Error('It was not sent.');
  isConfirmed = true;
  store('sessionStorage', CONFIRMED, 'yes');
  return request;
}

function confirm(request: string): Promise<boolean> {
  const dialog = document.querySelector<HTMLDialogElement>('#confirm');
  const shown = document.querySelector('#confirm-request');
  if (dialog === null || shown === null) throw new Error('The page has no dialog to ask with');
  shown.textContent = request;
  dialog.returnValue = '';
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener('close', () => resolve(dialog.returnValue === 'send'), { once: true });
  });
}

/**
 * The contract, with the address of this registry as the page knows it. The contract names PUBLIC_URL, which may be
 * another origin than that of the page, and then the policy of the page forbids calling it.
 */
async function readContract(): Promise<object> {
  const answer = await fetch(new URL('../openapi.json', document.baseURI));
  if (!answer.ok) throw new Error(`The contract cannot be read (${answer.status}).`);
  const registry = new URL('..', document.baseURI).href.replace(/\/$/, '');
  return { ...(await answer.json()), servers: [{ url: registry }] };
}

const shown = document.querySelector('#swagger-ui');
const contract = await readContract().catch((error: Error) => {
  shown?.append(`${error.message} Load the page again.`);
  throw error;
});

// Without Swagger UI's own top bar, which offers to show other contracts, and has a logo with a <style> element that
// the policy of this page forbids.
SwaggerUIBundle({
  dom_id: '#swagger-ui',
  spec: contract,
  presets: [SwaggerUIBundle.presets.apis],
  layout: 'BaseLayout',
  deepLinking: true,
  docExpansion: 'list',
  defaultModelsExpandDepth: 0,
  requestInterceptor: confirmWrites,
  // The request as it was asked for. There is no other one where it was not sent, and Swagger UI would fail at showing
  // it.
  showMutatedRequest: false,
});

// Swagger UI has a dark theme, and a button for it in the top bar that is left out.
const dark = matchMedia('(prefers-color-scheme: dark)');
const takeTheme = () => document.documentElement.classList.toggle('dark-mode', dark.matches);
dark.addEventListener('change', takeTheme);
takeTheme();

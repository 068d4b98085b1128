/** What of a service may stand in a variable of the manifest. */
export const SERVICE_VALUES = ['port', 'url'] as const;
/** What may stand there besides. */
const NAMES = ['project', 'environment'] as const;

interface Placeholder {
  value: (typeof NAMES)[number] | (typeof SERVICE_VALUES)[number];
  /** Null for what is no service's. */
  service: string | null;
}

/** The text of a variable: what is written as it is, and what is filled in. */
export type Template = readonly (string | Placeholder)[];

/** What a template is filled with. */
export interface Values {
  project: string;
  environment: string;
  /** Asked for the services of the manifest alone. */
  serviceOf(service: string): { port: number; url: string };
}

const RULE =
  'Known are {project}, {environment}, and {SERVICE.port} and {SERVICE.url} of a service of this file; ' +
  'a brace that is meant as such is written twice.';

/**
 * Reads a text such as `http://localhost:{api.port}`.
 * @param services those that it may name
 * @returns the template, or what tells what is wrong with the text. That may list a thousand services
 */
export function parseTemplate(text: string, services: ReadonlySet<string>): Template | { tell(): string } {
  const template: (string | Placeholder)[] = [];
  for (const [piece] of text.matchAll(/\{\{|\}\}|\{[^{}]*\}|[{}]|[^{}]+/g)) {
    if (piece === '{{' || piece === '}}') template.push(piece.charAt(0));
    else if (piece === '{' || piece === '}') return { tell: () => `has a single ${piece}. ${RULE}` };
    else if (!piece.startsWith('{')) template.push(piece);
    else {
      const placeholder = readPlaceholder(piece.slice(1, -1));
      if (placeholder === null) return { tell: () => `has ${piece}, which is not known. ${RULE}` };
      const { service } = placeholder;
      if (service !== null && !services.has(service)) {
        const listKnown = () => [...services].join(', ') || 'none';
        return { tell: () => `has ${piece}, but ${service} is no service of this file. Its services: ${listKnown()}.` };
      }
      template.push(placeholder);
    }
  }
  return template;
}

export function fillTemplate(template: Template, { project, environment, serviceOf }: Values): string {
  const fill = ({ value, service }: Placeholder) =>
    service === null ? { project, environment }[value as (typeof NAMES)[number]] : serviceOf(service)[value as 'port'];
  return template.map((part) => (typeof part === 'string' ? part : fill(part))).join('');
}

function readPlaceholder(content: string): Placeholder | null {
  const name = NAMES.find((one) => one === content);
  if (name) return { value: name, service: null };
  const dot = content.lastIndexOf('.'); // the names of services may have dots as well
  const value = SERVICE_VALUES.find((one) => one === content.slice(dot + 1));
  return dot > 0 && value ? { value, service: content.slice(0, dot) } : null;
}

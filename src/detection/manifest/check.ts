import { isMap, isScalar, LineCounter, type Node, parseDocument, type Scalar, type YAMLMap } from 'yaml';
import { NAME_PATTERN } from '../../input/slug.js';
import { toVariableName } from '../../input/variable-names.js';
import { resolverOf } from './aliases.js';
import type { ComposeTarget, ManifestContent, ManifestService } from './content.js';
import { decidesWhatRuns } from './running-variables.js';
import { parseTemplate, type Template } from './template.js';

type Findings = Pick<typeof import('../../input/findings.js'), 'describeUnknown' | 'refuseName'>;

export interface ManifestFault {
  /** Both count from 1. */
  line: number;
  column: number;
  /** What is wrong and what is allowed. @param findings the words for it, which take long to load */
  tell(findings: Findings): string;
}

const FIELDS = ['project', 'services', 'env'];
const SERVICE_FIELDS = ['serviceType', 'description', 'cloudflareHostname', 'compose'];
const COMPOSE_FIELDS = ['service', 'target'];
const MAX_SERVICES = 1000;
const MAX_LENGTHS = { serviceType: 100, description: 1000, cloudflareHostname: 253 };
const HOSTNAME = /^(\*\.)?([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$/;

/** A node of the file, or null for an empty value. */
type Value = Node | null;
/** Where a fault is: at a value, or at the key before it where the value is empty. */
type Place = { value: Value; key: Node };
type Entry = { name: string; place: Place };

/**
 * Reads the text of a manifest and checks it. It is written by hand, because a JSON schema's validator takes 60 ms to
 * load and does not know lines; a test holds it to the schema in `openapi/ports.schema.json`.
 * @returns all faults at once, in the order of their lines; the content counts only if there are none
 */
export function checkManifest(text: string): { content: ManifestContent; faults: ManifestFault[] } {
  const lines = new LineCounter();
  // The library compares each key with each other one, which took a second for 15,000 keys. The reader looks itself.
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: false });
  const reader = new Reader(resolverOf(document));
  for (const { pos, code, message } of document.errors) {
    const isSecond = code === 'MULTIPLE_DOCS';
    reader.add(pos[0], () =>
      isSecond ? 'A second document begins here. Write one.' : `${message.replace(/[.:]?$/, '')}.`,
    );
  }
  const content = reader.faults.length === 0 ? reader.readContent(document.contents) : EMPTY;
  const faults = reader.faults
    .sort((a, b) => a.offset - b.offset)
    .map(({ offset, tell }) => {
      const { line, col } = lines.linePos(offset);
      return { line: Math.max(line, 1), column: Math.max(col, 1), tell };
    });
  return { content, faults };
}

const NO_TEXT = { tell: () => 'must be a text. Write "" for an empty one.' };
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
const CONTROL_CHARACTER = /[\u0000-\u001f\u007f-\u009f]/;
const EMPTY: ManifestContent = { project: null, services: [], env: [] };
const EXAMPLE = 'Write the services whose ports are wanted, such as "services: { web: {} }".';

/**
 * Thousands of aliases may lead to one map or one text. What is in it is read once, and what is wrong in it is told once:
 * otherwise a small file takes as long as its size squared, in which a service answers nobody.
 */
class Reader {
  readonly faults: { offset: number; tell: ManifestFault['tell'] }[] = [];
  private readonly entries = new Map<YAMLMap, Entry[]>();
  private readonly fields = new Map<string[], Map<YAMLMap, Map<string, Place>>>();
  private readonly templates = new Map<Scalar, ReturnType<typeof parseTemplate>>();

  constructor(private readonly resolve: (node: Value) => Value) {}

  add(offset: number, tell: ManifestFault['tell']): void {
    this.faults.push({ offset, tell });
  }

  readContent(contents: Value): ManifestContent {
    const top = this.resolve(contents);
    if (top === null || (isScalar(top) && top.value === null)) {
      this.add(0, () => `The file is empty. ${EXAMPLE}`);
      return EMPTY;
    }
    if (!isMap(top)) {
      this.add(offsetOf(top), () => `The file must be a map with the fields ${FIELDS.join(', ')}. ${EXAMPLE}`);
      return EMPTY;
    }
    const fields = this.readFields(top, FIELDS, '');
    const project = fields.get('project');
    const services = this.readServices(fields.get('services'));
    return {
      project: project === undefined ? null : this.readName(project, 'project'),
      services,
      env: this.readEnv(fields.get('env'), services),
    };
  }

  private readServices(place: Place | undefined): ManifestService[] {
    const map = this.readMap(place, 'services', 'a map of services, such as { web: {}, api: {} }');
    const entries = this.entriesOf(map);
    if (entries.length > MAX_SERVICES) {
      this.add(offsetOf(map as Node), () => `services has more than ${MAX_SERVICES} entries.`);
    }
    const services = entries.map(({ name, place }) => this.readService(name, place));
    const variables = new Map<string, string>();
    const targets = new Map<string, string>();
    for (const [i, { service, compose }] of services.entries()) {
      const key = (entries[i] as Entry).place.key;
      const variable = toVariableName(service);
      if (/^\d/.test(variable)) {
        this.add(offsetOf(key), () => `services.${service} begins with a digit, and no variable may: ${variable}.`);
      }
      this.requireFree(variables, variable, service, key);
      if (compose) this.requireFree(targets, `the port ${compose.target} of ${compose.service}`, service, key);
    }
    return services;
  }

  private readService(service: string, place: Place): ManifestService {
    if (!new RegExp(NAME_PATTERN).test(service)) {
      this.add(offsetOf(place.key), ({ refuseName }) => `The name of a service ${refuseName(service).detail}`);
    }
    const at = `services.${service}`;
    const map = this.readMap(place, at, 'a map, which may be empty: {}');
    const fields = map === null ? new Map<string, Place>() : this.readFields(map, SERVICE_FIELDS, at);
    const read: ManifestService = { service };
    for (const field of ['serviceType', 'description', 'cloudflareHostname'] as const) {
      const given = fields.get(field);
      const text = given && this.readText(given, `${at}.${field}`, MAX_LENGTHS[field]);
      if (text === undefined || text === null) continue;
      read[field] = text;
      if (field === 'cloudflareHostname' && !HOSTNAME.test(text)) {
        this.add(offsetAt(given as Place), () => `${at}.${field} must be a hostname alone, such as api.example.com.`);
      }
    }
    const compose = fields.get('compose');
    const target = compose && this.readCompose(compose, `${at}.compose`);
    return target ? { ...read, compose: target } : read;
  }

  private readCompose(place: Place, at: string): ComposeTarget | null {
    const shape = 'a map such as { service: postgres, target: 5432 }';
    const map = this.readMap(place, at, shape);
    if (map === null) {
      this.add(offsetAt(place), () => `${at} must be ${shape}.`);
      return null;
    }
    const fields = this.readFields(map, COMPOSE_FIELDS, at);
    for (const field of COMPOSE_FIELDS) {
      if (!fields.has(field)) this.add(offsetOf(map), () => `${at}.${field} is required.`);
    }
    const service = fields.get('service');
    const target = fields.get('target');
    const name = service ? this.readText(service, `${at}.service`, 255) : null;
    const port = target ? this.readTarget(target, `${at}.target`) : null;
    return name === null || port === null ? null : { service: name, target: port };
  }

  private readTarget(place: Place, at: string): number | null {
    const { value } = this.scalarOf(place) ?? {};
    if (typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= 65535) return value;
    this.add(offsetAt(place), () => `${at} must be the port in the container, 1 to 65535.`);
    return null;
  }

  /** @param taken by which service, of what only one may have */
  private requireFree(taken: Map<string, string>, what: string, service: string, key: Node): void {
    const owner = taken.get(what);
    if (owner === undefined) taken.set(what, service);
    else this.add(offsetOf(key), () => `services.${service} would get ${what}, which ${owner} has already.`);
  }

  private readEnv(place: Place | undefined, services: ManifestService[]): { name: string; template: Template }[] {
    const known = new Set(services.map(({ service }) => service));
    const ports = new Map(services.map(({ service }) => [toVariableName(service), service]));
    const map = this.readMap(place, 'env', 'a map of variables, such as { API_URL: "http://localhost:{api.port}" }');
    return this.entriesOf(map).map(({ name, place }) => {
      const owner = ports.get(name);
      if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) {
        const rule = 'letters, digits and underscore, not beginning with a digit';
        this.add(offsetOf(place.key), () => `env.${name} is no name of a variable: ${rule}.`);
      }
      if (decidesWhatRuns(name)) {
        const reason = 'it decides which programs or libraries are run, and a file of a repository may not';
        this.add(offsetOf(place.key), () => `env.${name} is not allowed: ${reason}. Set it in your shell.`);
      }
      if (owner !== undefined) {
        this.add(offsetOf(place.key), () => `env.${name} is the port of the service ${owner} already. Remove it here.`);
      }
      return { name, template: this.readTemplate(place, `env.${name}`, known) };
    });
  }

  private readTemplate(place: Place, at: string, services: ReadonlySet<string>): Template {
    const scalar = this.scalarOf(place);
    const template = scalar ? getOrSet(this.templates, scalar, () => parseScalar(scalar, services)) : NO_TEXT;
    if (!('tell' in template)) return template;
    this.add(offsetAt(place), () => `${at} ${template.tell()}`);
    return [];
  }

  private readName(place: Place, at: string): string | null {
    const { value } = this.scalarOf(place) ?? {};
    if (typeof value !== 'string') {
      this.add(offsetAt(place), () => `${at} must be a name. Put it into quotes if it looks like a number.`);
      return null;
    }
    if (new RegExp(NAME_PATTERN).test(value)) return value;
    this.add(offsetAt(place), ({ refuseName }) => `${at} ${refuseName(value).detail}`);
    return null;
  }

  private readText(place: Place, at: string, maxLength: number): string | null {
    const { value } = this.scalarOf(place) ?? {};
    // No character has more than two of what `length` counts, and a long text is not gone through for each alias.
    const isText = typeof value === 'string' && value.length <= 2 * maxLength && !CONTROL_CHARACTER.test(value);
    if (isText && value !== '' && [...value].length <= maxLength) return value;
    this.add(offsetAt(place), () => `${at} must be a text of one line, of 1 to ${maxLength} characters.`);
    return null;
  }

  /** @returns null for an empty value, and for one that is no map, which is a fault */
  private readMap(place: Place | undefined, at: string, shape: string): YAMLMap | null {
    const value = this.resolve(place?.value ?? null);
    if (isMap(value)) return value;
    if (place && !(value === null || (isScalar(value) && value.value === null))) {
      this.add(offsetAt(place), () => `${at} must be ${shape}.`);
    }
    return null;
  }

  private readFields(map: YAMLMap, known: string[], at: string): Map<string, Place> {
    const ofKnown = getOrSet(this.fields, known, () => new Map<YAMLMap, Map<string, Place>>());
    return getOrSet(ofKnown, map, () => this.checkFields(map, known, at));
  }

  private checkFields(map: YAMLMap, known: string[], at: string): Map<string, Place> {
    const entries = this.entriesOf(map);
    for (const { name, place } of entries) {
      if (known.includes(name)) continue;
      const path = at === '' ? name : `${at}.${name}`;
      this.add(offsetOf(place.key), ({ describeUnknown }) => `${path} ${describeUnknown(name, known)}`);
    }
    return new Map(entries.map(({ name, place }) => [name, place]));
  }

  private entriesOf(map: YAMLMap | null): Entry[] {
    return map === null ? [] : getOrSet(this.entries, map, () => this.findEntries(map));
  }

  private findEntries(map: YAMLMap): Entry[] {
    const entries = new Map<string, Entry>();
    for (const { key, value } of map.items) {
      const node = this.resolve(key as Node);
      const name = isScalar(node) ? (textOf(node) ?? String(node.value)) : '';
      const place = { key: key as Node, value: value as Value };
      if (entries.has(name)) this.add(offsetOf(place.key), () => 'Map keys must be unique.');
      else entries.set(name, { name, place });
    }
    return [...entries.values()];
  }

  private scalarOf({ value }: Place): Scalar | null {
    const node = this.resolve(value);
    return isScalar(node) ? node : null;
  }
}

const offsetOf = (node: Node): number => node.range?.[0] ?? 0;
const offsetAt = ({ value, key }: Place): number => offsetOf(value ?? key);

/** As it is written, so that `0x10` stays `0x10`. */
const textOf = ({ value, source }: Scalar): string | undefined => (typeof value === 'string' ? value : source);

function parseScalar(scalar: Scalar, services: ReadonlySet<string>): ReturnType<typeof parseTemplate> {
  const text = textOf(scalar);
  if (scalar.value === null || text === undefined) return NO_TEXT;
  if (CONTROL_CHARACTER.test(text)) return { tell: () => 'must be one line, without control characters.' };
  return parseTemplate(text, services);
}

function getOrSet<Key, Value>(map: Map<Key, Value>, key: Key, make: () => Value): Value {
  const value = map.get(key) ?? make();
  map.set(key, value);
  return value;
}

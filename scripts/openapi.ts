// Generates the contract from the routes, and the schema of ports.yaml, and writes them to openapi/. A test fails if the
// committed files differ.
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { packageRoot } from '../src/package-root.js';
import { renderContract } from './contract.js';
import { ManifestSchema } from './manifest-schema.js';

const folder = join(packageRoot, 'openapi');
await mkdir(folder, { recursive: true });
const contract = await renderContract();
await writeFile(join(folder, 'openapi.json'), contract.json);
await writeFile(join(folder, 'openapi.yaml'), contract.yaml);
await writeFile(join(folder, 'ports.schema.json'), `${JSON.stringify(ManifestSchema, null, 2)}\n`);

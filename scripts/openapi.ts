// Generates the contract from the routes and writes it to openapi/. A test fails if the committed files differ.
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { packageRoot } from '../src/package-root.js';
import { renderContract } from './contract.js';

const folder = join(packageRoot, 'openapi');
await mkdir(folder, { recursive: true });
const contract = await renderContract();
await writeFile(join(folder, 'openapi.json'), contract.json);
await writeFile(join(folder, 'openapi.yaml'), contract.yaml);

// Writes the contract that the routes make into openapi/. A test fails when the committed one differs.
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { packageRoot } from '../src/package-root.js';
import { renderContract } from './contract.js';

const folder = join(packageRoot, 'openapi');
await mkdir(folder, { recursive: true });
const contract = await renderContract();
await writeFile(join(folder, 'openapi.json'), contract.json);
await writeFile(join(folder, 'openapi.yaml'), contract.yaml);

// npm run mcp:tools: what each tool takes of an agent's context, as the table of docs/mcp.md.
import { renderToolTable } from './tool-table.js';

process.stdout.write(renderToolTable());

import { useState } from 'preact/hooks';
import { formatCount, plural } from '../format.js';
import type { Space } from '../registry/api.js';
import { type Cell, type CellState, STATES, stateOfHeld } from '../registry/cells.js';
import { isIn } from '../registry/cooling.js';
import { registry, space } from '../registry/registry.js';
import { type Held, projects, query, results, selectPort, typedPort } from '../registry/view.js';

/** How many results are shown until the user asks for all. */
const SHOWN_AT_FIRST = 20;

/** What the search found on all hosts. If a port number was typed, also who owns that number. */
export function Results() {
  const [all, setAll] = useState(false);
  if (query.value.trim() === '') return null;
  const found = results.value;
  const typed = typedPort.value;
  const isListed = typed !== null && found.some((held) => held.port === typed && isIn(space.value, held));
  return (
    <section class="panel results" aria-labelledby="results">
      <h2 id="results">{plural(found.length, 'match', 'matches')}</h2>
      {typed !== null && !isListed && <TypedPort port={typed} />}
      {found.length === 0 && typed === null && (
        <p>Nothing that is held or reserved has this in its name, hostname, description or number.</p>
      )}
      {found.length > 0 && (
        <div class="scroll">
          <table>
            <thead>
              <tr>
                {['Port', 'Service', 'Environment', 'Where', 'State', 'Hostname'].map((name) => (
                  <th key={name} scope="col">
                    {name}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {(all ? found : found.slice(0, SHOWN_AT_FIRST)).map((held) => (
                <Result key={held.id} held={held} />
              ))}
            </tbody>
          </table>
        </div>
      )}
      {found.length > SHOWN_AT_FIRST && (
        <button type="button" class="more" aria-expanded={all} onClick={() => setAll(!all)}>
          {all ? 'Show fewer' : `Show all ${formatCount(found.length)}`}
        </button>
      )}
    </section>
  );
}

function Result({ held }: { held: Held }) {
  const { port, project, service, host, protocol } = held;
  const allocation = 'environment' in held ? held : null;
  const state = findCell(port, held)?.state ?? stateOf(held);
  return (
    <tr>
      <td>
        <button type="button" class="link number" onClick={() => selectPort(port, held)}>
          {port}
        </button>
      </td>
      <td>
        {project}/{service ?? '…'}
      </td>
      <td>{allocation?.environment}</td>
      <td>
        {host} {protocol.toUpperCase()}
      </td>
      <td>
        <span class={`cell ${state}`} aria-hidden="true" /> {STATES[state].name}
      </td>
      <td>{allocation?.cloudflareHostname}</td>
    </tr>
  );
}

function TypedPort({ port }: { port: number }) {
  const cell = findCell(port, space.value);
  const owner = projects.value.find((map) => map.ranges.some(({ cells }) => cells.some((one) => one.port === port)));
  return (
    <p>
      <button type="button" class="link number" onClick={() => selectPort(port)}>
        {port}
      </button>{' '}
      {cell && owner
        ? `is ${STATES[cell.state].name.toLowerCase()}, in the range of ${owner.project}.`
        : 'is in no range: the registry neither hands it out nor watches it.'}
    </p>
  );
}

/** The map's cell of a port, if the map shows its port space. */
export function findCell(port: number, of: Space): Cell | undefined {
  if (registry.value === null || !isIn(registry.value.space, of)) return undefined;
  for (const { ranges } of projects.value) {
    for (const { range, cells } of ranges) {
      if (port >= range.startPort && port <= range.endPort) return cells[port - range.startPort];
    }
  }
  return undefined;
}

function stateOf(held: Held): CellState {
  if (!('environment' in held)) return 'reserved';
  return stateOfHeld(held, registry.value?.lastAudit ?? null);
}

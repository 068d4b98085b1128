import { Dialogs } from './dialogs/dialogs.js';
import { notice } from './dialogs/open.js';
import { plural } from './format.js';
import { Findings } from './parts/findings.js';
import { Header } from './parts/header.js';
import { Legend } from './parts/legend.js';
import { PortDetails } from './parts/port-details.js';
import { ProjectCard } from './parts/project-card.js';
import { Results } from './parts/results.js';
import { Empty, Failure, Waiting } from './parts/states.js';
import { SummaryTiles } from './parts/summary-tiles.js';
import { Tooltip } from './parts/tooltip.js';
import { auditState, findings } from './registry/audit.js';
import { failure, registry } from './registry/registry.js';
import { clearFilters, isFiltered, type Order, order, projects, query, results, shown } from './registry/view.js';

export function App() {
  return (
    <>
      <a class="skip" href="#content">
        Skip to the content
      </a>
      <Header />
      <main id="content" tabIndex={-1}>
        <Failure />
        {registry.value === null ? failure.value === null && <Waiting /> : <Overview />}
      </main>
      <footer class="foot quiet">
        <a href="./docs/">The contract, to read and try</a> · <a href="./openapi.json">openapi.json</a>
      </footer>
      <Announcements />
      <Notice />
      <Tooltip />
      <Dialogs />
    </>
  );
}

function Overview() {
  if (projects.value.length === 0) return <Empty />;
  return (
    <>
      <SummaryTiles />
      <div class="columns">
        <div class="stack">
          <Results />
          <Findings />
          <Maps />
        </div>
        <aside aria-label="Port details">
          <PortDetails />
        </aside>
      </div>
    </>
  );
}

function Maps() {
  return (
    <section aria-labelledby="map">
      <div class="maps-head">
        <h2 id="map">Map</h2>
        <Legend />
        <Sorting />
      </div>
      {isFiltered.value && (
        <p class="filtered">
          Showing {shown.value.length} of {plural(projects.value.length, 'project')}.{' '}
          <button type="button" class="link" onClick={clearFilters}>
            Show everything
          </button>
        </p>
      )}
      <div class="cards">
        {shown.value.map((map) => (
          <ProjectCard key={map.project} map={map} />
        ))}
      </div>
    </section>
  );
}

function Sorting() {
  return (
    <label class="sorting">
      Sort by
      <select value={order.value} onChange={({ currentTarget }) => (order.value = currentTarget.value as Order)}>
        <option value="port">port</option>
        <option value="name">name</option>
        <option value="fullness">fullest first</option>
      </select>
    </label>
  );
}

/** Tells users of screen readers what changes on the page without a text of its own. */
function Announcements() {
  return (
    <p class="visually-hidden" role="status">
      {query.value.trim() !== '' && registry.value !== null && plural(results.value.length, 'match', 'matches')}
      {query.value.trim() === '' &&
        auditState.value.phase === 'done' &&
        `The audit found ${plural(findings.value.length, 'thing')}.`}
    </p>
  );
}

function Notice() {
  return (
    <div class="notice" role="status">
      {notice.value !== null && (
        <p>
          {notice.value}
          <button type="button" class="link" onClick={() => (notice.value = null)}>
            Dismiss
          </button>
        </p>
      )}
    </div>
  );
}

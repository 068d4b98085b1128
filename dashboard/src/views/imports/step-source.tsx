import { useEffect } from 'preact/hooks';
import { Choice, optionsOf } from '../../parts/choice.js';
import { parameter } from '../../place.js';
import { readSoon } from '../../registry/readings.js';
import { candidates } from './candidates.js';
import { Listeners } from './listeners.js';
import { PastedText } from './pasted-text.js';

const source = parameter('source');

/** The first step: where the list comes from. */
export function SourceStep() {
  // No event tells of what listens, unless it is on a port that somebody holds.
  useEffect(() => readSoon('listening', 0), []);
  const projects = [...new Set(candidates.value.map(({ project }) => project))].sort();
  return (
    <>
      <div class="filters">
        <Choice
          label="The list comes from"
          name="source"
          clears={['sort', 'rows']}
          options={[
            ['', 'The service’s machine'],
            ['text', 'A pasted text'],
          ]}
        />
        {source.value === '' && <Choice label="Project" name="project" options={optionsOf('All projects', projects)} />}
      </div>
      {source.value === 'text' ? <PastedText /> : <Listeners />}
    </>
  );
}

import { useEffect, useState } from 'preact/hooks';
import { formatCount } from '../format.js';
import { Link } from '../parts/links.js';
import { addressOfView } from '../place.js';
import { findings } from '../registry/audits.js';
import { currentView, offeredViews, type View } from './views.js';

const GROUPS = ['Ports', 'What happens', 'Administration'] as const;

/** Beside the content on wide screens; on narrow ones a menu that is folded. */
export function Navigation() {
  const [isOpen, setOpen] = useState(false);
  const { id, name } = currentView.value;
  useEffect(() => setOpen(false), [id]);
  return (
    <nav class="navigation" aria-label="Views">
      <button type="button" class="button menu" aria-expanded={isOpen} onClick={() => setOpen(!isOpen)}>
        {name}
      </button>
      <div class={isOpen ? 'navigation-groups open' : 'navigation-groups'}>
        {GROUPS.map((group) => (
          <section key={group} aria-labelledby={`views-${GROUPS.indexOf(group)}`}>
            <h2 id={`views-${GROUPS.indexOf(group)}`}>{group}</h2>
            <ul>
              {offeredViews.value
                .filter((one) => one.group === group)
                .map((one) => (
                  <li key={one.id}>
                    <Entry one={one} />
                  </li>
                ))}
            </ul>
          </section>
        ))}
      </div>
    </nav>
  );
}

function Entry({ one: { id, name } }: { one: View }) {
  const current = currentView.value.id;
  const isCurrent = current === id || (current === 'project' && id === 'projects');
  return (
    <Link to={addressOfView(id)} current={isCurrent}>
      {name}
      {id === 'findings' && findings.value.length > 0 && (
        <span class="count">{formatCount(findings.value.length)}</span>
      )}
    </Link>
  );
}

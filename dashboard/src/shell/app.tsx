import { useLayoutEffect } from 'preact/hooks';
import { connection } from '../feed/feed.js';
import { Palette } from '../palette/palette.js';
import { NoticeBar } from '../parts/notice-bar.js';
import { PortPanel } from '../port/port-panel.js';
import { isCovering } from '../port/show.js';
import { chosen, project } from '../registry/filters.js';
import { isRead, ranges } from '../registry/store.js';
import { Boundary, FailedView } from './boundary.js';
import { Dialogs } from './dialogs.js';
import { Header } from './header.js';
import { Navigation } from './navigation.js';
import { Empty, Trouble, Waiting } from './trouble.js';
import { currentView } from './views.js';

export function App() {
  return (
    <>
      {/* biome-ignore lint/a11y/useValidAnchor: it goes to the content as any such link does, see skipToContent */}
      <a class="skip" href="#content" onClick={skipToContent}>
        Skip to the content
      </a>
      <Header />
      <div class={chosen.value === null ? 'shell' : 'shell with-panel'}>
        <Navigation />
        <main id="content" tabIndex={-1}>
          <Trouble />
          {isRead.value ? <CurrentView /> : connection.value.state === 'connecting' && <Waiting />}
        </main>
        <PortPanel />
      </div>
      <NoticeBar isHere={!isCovering.value} />
      <Palette />
      <Dialogs />
    </>
  );
}

/**
 * The address stays as it is: with `#content` in it, the browser would give the focus to the content each time that a
 * dialog closes by going back, and not to what has opened the dialog.
 */
function skipToContent(event: Event): void {
  event.preventDefault();
  document.getElementById('content')?.focus();
}

function CurrentView() {
  const { id, name, group, component: Component } = currentView.value;
  // By the time that the view is there, because a screen reader reads the title then.
  useLayoutEffect(() => {
    document.title = `${project.value !== '' && id === 'project' ? project.value : name} · Port Allocator`;
  });
  const isEmpty = ranges.value.length === 0 && group === 'Ports';
  if (isEmpty) return <Empty />;
  return (
    <Boundary key={id} failed={<FailedView />}>
      <Component />
    </Boundary>
  );
}

import type { ComponentChildren } from 'preact';
import { addressOfView, addressWith, followLink } from '../place.js';
import { DEFAULT_SPACE, nameSpot, type Spot } from '../registry/port-space.js';

/** A link to another place of this page. */
export function Link(props: { to: string; class?: string; current?: boolean; children: ComponentChildren }) {
  const { to, current = false, children } = props;
  return (
    <a href={to} class={props.class} aria-current={current ? 'page' : undefined} onClick={followLink}>
      {children}
    </a>
  );
}

/** A link that shows the details of a port beside what is shown now. */
export function PortLink({ spot, class: name, children }: { spot: Spot; class?: string; children: ComponentChildren }) {
  return (
    <Link to={addressWith({ port: nameSpot(spot) })} {...(name !== undefined && { class: name })}>
      {children}
    </Link>
  );
}

export function ProjectLink({ project }: { project: string }) {
  return <Link to={addressOfView('project', { project })}>{project}</Link>;
}

/** Whether this browser runs on the machine of the service, as far as the address of the page tells. */
const isThisMachine = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(location.hostname);

/** What a port serves, in a browser on this machine; null where that is another machine, or UDP. */
export function urlOf({ port, host, protocol }: Spot): string | null {
  return isThisMachine && host === DEFAULT_SPACE.host && protocol === 'tcp' ? `http://localhost:${port}` : null;
}

/** A port number: where it is of this machine, a link to what listens there. */
export function PortNumber({ spot }: { spot: Spot }) {
  const url = urlOf(spot);
  if (url === null) return <span class="number">{spot.port}</span>;
  return (
    <a class="number" href={url} target="_blank" rel="noreferrer" title={`Open ${url}`}>
      {spot.port}
    </a>
  );
}

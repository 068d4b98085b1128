import { nameSpot, readSpot, type Spot } from '../registry/port-space.js';

/** What the dialogs that get or reserve a port are about: nothing, a project, or a number of a project. */
export interface Subject {
  project: string;
  spot: Spot | null;
}

/** `odin` or `odin/build-1:3102`, as it stands in the address bar. */
export function nameSubject({ project, spot }: Subject): string {
  return spot === null ? project : `${project}/${nameSpot(spot)}`;
}

export function readSubject(about: string): Subject {
  const slash = about.indexOf('/');
  return slash < 0
    ? { project: about, spot: null }
    : { project: about.slice(0, slash), spot: readSpot(about.slice(slash + 1)) };
}

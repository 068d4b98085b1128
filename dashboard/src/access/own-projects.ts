import { computed } from '@preact/signals';
import { projectNames } from '../registry/projects.js';
import { caller } from './caller.js';
import { mayChange } from './own-role.js';

/**
 * The projects that the key of this page covers; null where that is all of them, and until it is known. Of the others
 * such a key sees the ranges, and nothing of what is in them.
 */
export const ownProjects = computed(() => caller.value?.projects ?? null);

/** Those that have ranges. */
export const ownProjectNames = computed(() => projectNames.value.filter(isOwnProject));

/** The hosts on which the key of this page takes ports; null for any. */
export const ownHosts = computed(() => caller.value?.hosts ?? null);

/** Whether the key of this page may allocate or reserve ports of the project, on some host at least. */
export function mayTakeOf(project: string): boolean {
  return mayChange.value && isOwnProject(project);
}

/** Whether it may do so on this host. */
export function mayTake(project: string, host: string): boolean {
  return mayTakeOf(project) && (ownHosts.value?.includes(host) ?? true);
}

/** Whether the key of this page covers a project. */
export function isOwnProject(project: string): boolean {
  return ownProjects.value?.includes(project) ?? true;
}

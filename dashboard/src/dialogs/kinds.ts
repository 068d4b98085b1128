import type { ComponentType } from 'preact';

/**
 * A dialog by its kind, as it stands in the address bar. It gets what it is about, such as the id of an allocation, and
 * shows `Gone` if there is no such thing any more.
 */
export type DialogsByKind = Record<string, ComponentType<{ about: string }>>;

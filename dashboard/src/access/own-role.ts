import { computed } from '@preact/signals';
import { caller } from './caller.js';

/** The role of the key of this page; null until it is known. */
export const ownRole = computed(() => caller.value?.role ?? null);

export const isAdmin = computed(() => ownRole.value === 'admin');

/** Whether the page may change something: every key may, but those of readers. */
export const mayChange = computed(() => isAdmin.value || ownRole.value === 'project');

/** Where no keys are in force, there are none to manage. */
export const mayManageKeys = computed(() => isAdmin.value && caller.value?.kind === 'key');

import { computed } from '@preact/signals';
import type { ComponentType } from 'preact';
import { isAdmin } from '../access/own-role.js';
import { view } from '../registry/filters.js';
import { Activity } from '../views/activity/activity.js';
import { Audits } from '../views/audits/audits.js';
import { Cloudflare } from '../views/cloudflare/cloudflare.js';
import { Environments } from '../views/environments/environments.js';
import { ExcludedPorts } from '../views/excluded/excluded-ports.js';
import { Exports } from '../views/exports/exports.js';
import { Findings } from '../views/findings/findings.js';
import { Import } from '../views/imports/import.js';
import { Keys } from '../views/keys/keys.js';
import { MapView } from '../views/map/map-view.js';
import { Moment } from '../views/moment/moment.js';
import { ProjectPage } from '../views/projects/project-page.js';
import { Projects } from '../views/projects/projects.js';
import { Reservations } from '../views/reservations/reservations.js';
import { Services } from '../views/services/services.js';
import { Webhooks } from '../views/webhooks/webhooks.js';

export interface View {
  /** As it stands in the address bar. */
  id: string;
  name: string;
  /** Under which heading the navigation has it; null for one that only links lead to. */
  group: 'Ports' | 'What happens' | 'Administration' | null;
  component: ComponentType;
  /** Offered to nobody else. */
  isForAdmins?: boolean;
}

const SERVICES: View = { id: 'services', name: 'Services', group: 'Ports', component: Services };

export const VIEWS: readonly View[] = [
  SERVICES,
  { id: 'map', name: 'Map', group: 'Ports', component: MapView },
  { id: 'projects', name: 'Projects', group: 'Ports', component: Projects },
  { id: 'environments', name: 'Environments', group: 'Ports', component: Environments },
  { id: 'reservations', name: 'Reservations', group: 'Ports', component: Reservations },
  { id: 'findings', name: 'Findings', group: 'What happens', component: Findings },
  { id: 'audits', name: 'Audits', group: 'What happens', component: Audits },
  { id: 'activity', name: 'Activity', group: 'What happens', component: Activity },
  { id: 'moment', name: 'The past', group: 'What happens', component: Moment },
  { id: 'import', name: 'Import', group: 'Administration', component: Import },
  { id: 'exports', name: 'Exports', group: 'Administration', component: Exports },
  { id: 'excluded', name: 'Excluded ports', group: 'Administration', component: ExcludedPorts },
  { id: 'keys', name: 'Keys', group: 'Administration', component: Keys },
  { id: 'webhooks', name: 'Webhooks', group: 'Administration', component: Webhooks },
  { id: 'cloudflare', name: 'Cloudflare', group: 'Administration', component: Cloudflare, isForAdmins: true },
  { id: 'project', name: 'Project', group: null, component: ProjectPage },
];

/** The view that the address names; the first one if there is none of that name. */
export const currentView = computed<View>(() => VIEWS.find(({ id }) => id === view.value) ?? SERVICES);

/** Those that the navigation and the palette offer whoever uses the page. */
export const offeredViews = computed<readonly View[]>(() =>
  VIEWS.filter(({ group, isForAdmins = false }) => group !== null && (!isForAdmins || isAdmin.value)),
);

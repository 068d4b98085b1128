import { fillTemplate, type Template, type Values } from './template.js';

/** A container's port that the service's port is mapped to. */
export interface ComposeTarget {
  /** The name of the service in the compose file. */
  service: string;
  target: number;
}

export interface ManifestService {
  service: string;
  serviceType?: string;
  description?: string;
  cloudflareHostname?: string;
  compose?: ComposeTarget;
}

/** What `ports.yaml` says. */
export interface ManifestContent {
  /** Null if the file does not name it. */
  project: string | null;
  services: readonly ManifestService[];
  env: readonly { name: string; template: Template }[];
}

/** The services as `PUT /v1/projects/{project}/environments/{environment}` takes them. */
export const toRequestedServices = (manifest: ManifestContent): Omit<ManifestService, 'compose'>[] =>
  manifest.services.map(({ compose: _, ...service }) => service);

/** The variables that the manifest adds, filled in. */
export const fillVariables = (manifest: ManifestContent, values: Values): { name: string; value: string }[] =>
  manifest.env.map(({ name, template }) => ({ name, value: fillTemplate(template, values) }));

/** What other programs read. Apart from the schemas, like the types of events. */
export const exportFormats = ['dotenv', 'cloudflared', 'prometheus', 'traefik', 'consul'] as const;
export type ExportFormat = (typeof exportFormats)[number];

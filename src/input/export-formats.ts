/**
 * What other programs read. It stands apart from the schema, because the command needs it too, and takes longer to load
 * TypeBox than for its work.
 */
export const exportFormats = ['dotenv', 'cloudflared', 'prometheus', 'traefik', 'consul'] as const;
export type ExportFormat = (typeof exportFormats)[number];

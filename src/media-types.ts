/**
 * The media types of answers, with the parameters that the header `Content-Type` gives them. A client's `Accept` may
 * name these parameters too, so it is compared with the whole type (RFC 9110, 12.5.1).
 */
export const mediaTypes = {
  json: 'application/json; charset=utf-8',
  text: 'text/plain; charset=utf-8',
  metrics: 'text/plain; version=0.0.4; charset=utf-8',
  events: 'text/event-stream; charset=utf-8',
  yaml: 'application/yaml',
  html: 'text/html; charset=utf-8',
} as const;

export type MediaType = (typeof mediaTypes)[keyof typeof mediaTypes];

import { Age } from '../../parts/age.js';
import { FreeText } from '../../parts/free-text.js';
import { ProjectLink } from '../../parts/links.js';
import type { Webhook } from '../../registry/api.js';

/** Of which projects it gets events. */
export function ProjectsOf({ webhook: { projects } }: { webhook: Webhook }) {
  if (projects.length === 0) return <>all projects, and none</>;
  return projects.map((project, index) => (
    <span key={project}>
      {index > 0 && ', '}
      <ProjectLink project={project} />
    </span>
  ));
}

/** Whether it is on, and else since when and why not. */
export function State({ webhook: { enabled, disabledAt, disabledReason } }: { webhook: Webhook }) {
  if (enabled || disabledAt === null) return <>On</>;
  return (
    <>
      <strong>Off</strong> since <Age at={disabledAt} />. <FreeText>{disabledReason ?? ''}</FreeText>
    </>
  );
}

import type { ComponentChildren } from 'preact';

interface Props {
  title: string;
  /** What the view shows, and of what: which host, which projects, as of when. */
  scope: ComponentChildren;
  /** The buttons for what is done here, at the right. */
  children?: ComponentChildren;
}

/** The head of a view. */
export function ViewHead({ title, scope, children }: Props) {
  return (
    <div class="view-head">
      <div>
        <h2 tabIndex={-1}>{title}</h2>
        <p class="quiet">{scope}</p>
      </div>
      {children !== undefined && <div class="view-actions">{children}</div>}
    </div>
  );
}

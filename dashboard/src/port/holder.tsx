import { mayTake } from '../access/own-projects.js';
import { isAdmin, mayChange } from '../access/own-role.js';
import { Age } from '../parts/age.js';
import { Ask } from '../parts/ask.js';
import { Fact } from '../parts/facts.js';
import { FreeText } from '../parts/free-text.js';
import { Link, ProjectLink } from '../parts/links.js';
import { addressOfView } from '../place.js';
import type { Allocation, Held, Reservation } from '../registry/api.js';
import { excluded } from '../registry/store.js';

/** Who holds a port, and what can be done with it. */
export function HeldPort({ held, metadata }: { held: Held; metadata: Allocation['metadata'] }) {
  const { id, port, project, service, environment, serviceType, description, cloudflareHostname } = held;
  return (
    <>
      <dl>
        <Fact name="Service">{service}</Fact>
        <Fact name="Project">
          <ProjectLink project={project} />
        </Fact>
        <Fact name="Environment">
          <Link to={addressOfView('services', { project, environment, host: null, protocol: null })}>
            {environment}
          </Link>
        </Fact>
        <Fact name="Type">{serviceType && <FreeText>{serviceType}</FreeText>}</Fact>
        <Fact name="Description">{description && <FreeText>{description}</FreeText>}</Fact>
        <Fact name="Hostname">{cloudflareHostname}</Fact>
        <Fact name="Allocated">
          <Age at={held.allocatedAt} />
        </Fact>
        <Fact name="Last seen">{held.lastUsedAt && <Age at={held.lastUsedAt} />}</Fact>
        <Fact name="Metadata">
          {metadata && (
            <code>
              <FreeText>{JSON.stringify(metadata, null, 1)}</FreeText>
            </code>
          )}
        </Fact>
      </dl>
      <div class="buttons">
        {mayChange.value && <Ask kind="describe" about={id} name="Describe" />}
        {isAdmin.value && !excluded.value.has(port) && <Ask kind="exclude" about={String(port)} name="Exclude it" />}
        {mayChange.value && <Ask kind="release" about={id} name="Release" isDangerous />}
      </div>
    </>
  );
}

/** For whom a port is reserved, and what can be done with it. */
export function ReservedPort({ reservation }: { reservation: Reservation }) {
  const { id, project, host, service, reservedBy, reason, createdAt, expiresAt } = reservation;
  return (
    <>
      <dl>
        <Fact name="For">{service ?? 'no service in particular'}</Fact>
        <Fact name="Project">
          <ProjectLink project={project} />
        </Fact>
        <Fact name="By">{reservedBy && <FreeText>{reservedBy}</FreeText>}</Fact>
        <Fact name="Reason">{reason && <FreeText>{reason}</FreeText>}</Fact>
        <Fact name="Reserved">
          <Age at={createdAt} />
        </Fact>
        <Fact name="Expires">
          <Age at={expiresAt} />
        </Fact>
      </dl>
      <div class="buttons">
        {mayTake(project, host) && <Ask kind="claim" about={id} name="Claim" />}
        {mayTake(project, host) && <Ask kind="renew" about={id} name="Renew" />}
        {mayChange.value && <Ask kind="cancel" about={id} name="Cancel the reservation" isDangerous />}
      </div>
    </>
  );
}

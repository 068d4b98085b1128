import {
  AllocatedPair,
  AllocatedPorts,
  Allocation,
  AllocationDetails,
  AllocationOutline,
  AllocationPage,
  NewAllocation,
  ReleasedAllocations,
} from './allocation.js';
import { ApiKey, ApiKeyPage, CreatedApiKey, NewApiKey } from './api-key.js';
import { Audit, AuditConflict, AuditPage, AuditScope } from './audit.js';
import {
  Environment,
  EnvironmentPage,
  EnvironmentPorts,
  EnvironmentService,
  EnvironmentServices,
  HeldEnvironment,
  HeldEnvironmentPage,
} from './environment.js';
import { Actor, Event, EventPage } from './events/event.js';
import { ExportDocument } from './export.js';
import { Liveness, Readiness } from './health.js';
import { HealthCheck, HealthCheckPage, NewHealthCheck } from './health-check.js';
import { Import, ImportedPort, NewImport, PassedOverLine, PortToImport } from './import.js';
import {
  ExcludedPort,
  ExcludedPortPage,
  Listener,
  Port,
  PortExclusion,
  PortHistoryItem,
  PortHistoryPage,
} from './port.js';
import { Problem } from './problem.js';
import { NewProject, NewRange, ProjectPage, ProjectSummary, Range, RangeChange, RangePage } from './range.js';
import { NewReservation, Reservation, ReservationClaim, ReservationPage, ReservationRenewal } from './reservation.js';

/** Every object that has a name in the contract. */
export const components = [
  Actor,
  AllocatedPair,
  AllocatedPorts,
  Allocation,
  AllocationDetails,
  AllocationOutline,
  AllocationPage,
  ApiKey,
  ApiKeyPage,
  Audit,
  AuditConflict,
  AuditPage,
  AuditScope,
  CreatedApiKey,
  Environment,
  EnvironmentPage,
  EnvironmentPorts,
  EnvironmentService,
  EnvironmentServices,
  Event,
  EventPage,
  ExcludedPort,
  ExcludedPortPage,
  ExportDocument,
  HealthCheck,
  HealthCheckPage,
  HeldEnvironment,
  HeldEnvironmentPage,
  Import,
  ImportedPort,
  Listener,
  Liveness,
  NewAllocation,
  NewApiKey,
  NewHealthCheck,
  NewImport,
  NewProject,
  NewRange,
  NewReservation,
  PassedOverLine,
  Port,
  PortExclusion,
  PortHistoryItem,
  PortHistoryPage,
  PortToImport,
  Problem,
  ProjectPage,
  ProjectSummary,
  Range,
  RangeChange,
  RangePage,
  Readiness,
  ReleasedAllocations,
  Reservation,
  ReservationClaim,
  ReservationPage,
  ReservationRenewal,
];

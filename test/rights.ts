// The rights that the operator's manifests give, against those it uses.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { type AuditEvent, auditEvents } from './audit-events.ts';

export interface Right {
  /** Kind and name of the role. */
  role: string;
  /** Of a Role; a ClusterRole's right is for all. */
  namespace?: string;
  group: string;
  /** With the subresource: `workspaces/status`. */
  resource: string;
  verb: string;
  /** The only object it is for. */
  name?: string;
}

export interface Use {
  group: string;
  resource: string;
  verb: string;
  namespace: string;
  name: string;
  /** The authorizer said no; an admission plugin's no is another matter. */
  refused: boolean;
}

interface Role {
  kind: string;
  metadata: { name: string; namespace?: string };
  rules: { apiGroups: string[]; resources: string[]; verbs: string[]; resourceNames?: string[] }[];
}

/** What gives rights, in config/; the second only to who installs it. */
const manifests = ['rbac/operator.yaml', 'juicefs/component/volumes.yaml'];

/** Of all that may be installed, or of these manifests; one for each verb of each resource. */
export async function operatorRights(files: readonly string[] = manifests): Promise<Right[]> {
  const read = (file: string) => readFile(join(import.meta.dirname, '../config', file), 'utf8');
  const objects = (await Promise.all(files.map(read))).flatMap((text) =>
    parseAllDocuments(text).map((document) => document.toJS() as Role),
  );
  return objects.filter(({ kind }) => kind === 'Role' || kind === 'ClusterRole').flatMap(rightsOf);
}

const rightsOf = ({ kind, metadata: { name: role, namespace }, rules }: Role): Right[] =>
  rules.flatMap(({ apiGroups, resources, verbs, resourceNames = [undefined] }) =>
    apiGroups.flatMap((group) =>
      resources.flatMap((resource) =>
        verbs.flatMap((verb) =>
          resourceNames.map((name) => ({
            role: `${kind} ${role}`,
            ...(namespace && { namespace }),
            ...(name && { name }),
            group,
            resource,
            verb,
          })),
        ),
      ),
    ),
  );

/** In logs of an API server; what names no resource (`/version`) needs no right of ours. */
export async function usesIn(...logs: string[]): Promise<Use[]> {
  const uses = new Map<string, Use>();
  for (const log of logs) {
    for await (const event of auditEvents(log)) {
      for (const use of usesOf(event)) uses.set(JSON.stringify(use), use);
    }
  }
  return [...uses.values()];
}

function usesOf({ verb, objectRef, annotations, responseStatus }: AuditEvent): Use[] {
  if (!objectRef?.resource) return [];
  const { apiGroup: group = '', resource, subresource, namespace = '', name = '' } = objectRef;
  const use = {
    group,
    resource: subresource ? `${resource}/${subresource}` : resource,
    verb,
    namespace,
    name,
    refused: annotations?.['authorization.k8s.io/decision'] === 'forbid',
  };
  // Who makes an object by applying it needs both rights.
  return verb === 'patch' && responseStatus?.code === 201 ? [use, { ...use, verb: 'create' }] : [use];
}

/**
 * The narrowest right counts as used, so that a wider one beside it is found out. Refused is what no right covers: an
 * API server that has just started refuses for a moment what it will allow.
 */
export function compareRights(rights: readonly Right[], uses: readonly Use[]) {
  const used = new Set<Right>();
  const refused: Use[] = [];
  for (const use of uses) {
    const covering = rights
      .filter(
        (right) =>
          right.group === use.group &&
          right.resource === use.resource &&
          right.verb === use.verb &&
          (right.namespace ?? use.namespace) === use.namespace &&
          (right.name ?? use.name) === use.name,
      )
      .sort((a, b) => width(a) - width(b));
    if (covering[0]) used.add(covering[0]);
    else if (use.refused) refused.push(use);
  }
  return { refused, unused: rights.filter((right) => !used.has(right) && !isImplicit(right)) };
}

const width = ({ namespace, name }: Right): number => (namespace ? 0 : 1) + (name ? 0 : 2);

/** An admission plugin asks whether the operator has it when it sets an owner; no request shows it. */
const isImplicit = ({ resource }: Right): boolean => resource.endsWith('/finalizers');

export const sayRight = ({ role, verb, resource, group, name }: Right): string =>
  `${role}: ${verb} ${resource}${group && `.${group}`}${name ? ` ${name}` : ''}`;

/** As sayRight has it, without the role → when it is used, which no run of the e2e suite can be sure to see. */
const rare: Record<string, string> = {
  'get pods': 'an agent dials in before the cache knows its pod: integration/link.test.ts',
  'get snapshots.jvs.io': 'somebody has the name of a Snapshot to be shown: integration/mirror.test.ts',
  'get workspaces.jvs.io': 'a pod comes before the cache knows its Workspace: integration/webhook.test.ts',
  'get events.events.k8s.io': 'an event goes on after a restart: integration/runtime-events.test.ts',
  'patch secrets jvs-operator-certs': 'certificates are renewed: integration/certs.test.ts',
  'patch persistentvolumeclaims': 'spec.storage has grown: integration/rights.test.ts',
  'delete restores.jvs.io': 'its Workspace goes: integration/deletion.test.ts',
  'create persistentvolumes': 'JuiceFS without a class: integration/storage.test.ts',
  'patch persistentvolumes': 'JuiceFS without a class: integration/storage.test.ts',
  'delete persistentvolumes': 'JuiceFS without a class: integration/storage.test.ts',
};

export const isRare = (right: Right): boolean => Object.hasOwn(rare, sayRight(right).replace(/^.*?: /, ''));

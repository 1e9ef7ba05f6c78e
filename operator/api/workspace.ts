// The Workspace resource: the one source of its types, its parser, its CustomResourceDefinition and its reference.
import * as z from 'zod';
import { defineResource, type ObjectMeta } from '../runtime/types.ts';
import { conditionsSchema } from './conditions.ts';
import type { Definition } from './crd.ts';
import { apiVersion, parseResource } from './parse.ts';
import {
  duration,
  engine,
  immutable,
  int32,
  int64,
  objectName,
  open,
  pathSegment,
  rules,
  set,
  string,
  tag,
  template,
  text,
  time,
  volumeSize,
} from './schema.ts';

const hook = z.object({
  http: z
    .object({
      port: int32(1, 65535).meta({ description: 'Port on localhost of the pod.' }),
      path: text('^/', 'must start with /', 1024).default('/').meta({ description: 'Path of the request.' }),
    })
    .optional()
    .meta({ description: 'A POST to a container of the pod; any answer of 2xx is success.' }),
  exec: z
    .object({
      command: z
        .array(string(4096))
        .min(1)
        .max(64)
        .meta({ description: 'The program and its arguments; no shell is run.' }),
    })
    .optional()
    .meta({ description: 'A command in the agent container; exit status 0 is success.' }),
  timeoutSeconds: int32(1, 3600).default(30).meta({ description: 'The hook has failed after this time.' }),
});
const hookRules = rules({
  rule: 'has(self.http) != has(self.exec)',
  message: 'must have exactly one of http and exec',
});

const juiceFsConfig = z
  .object({
    source: string(1024).min(1).meta({
      description:
        'URL of the metadata engine, such as redis://redis.default.svc:6379/0. For people: a static volume is mounted from metaurl in the Secret.',
    }),
    metaDir: string(1024).optional().meta({
      description:
        'Directory in JuiceFS that is the volume; /<namespace>/<name> where not set. A volume that is there keeps its own.',
    }),
    cacheDir: string(1024).optional().meta({ description: 'Cache directory on the node.' }),
    secretsRef: z
      .object({
        name: objectName.meta({ description: 'Name of a Secret in the namespace of the Workspace.' }),
        keys: z.record(z.string(), string(253)).optional().meta({
          description:
            'JuiceFS settings by name, and the key of the Secret that holds each. For a static volume both are the same: its driver reads fixed keys.',
          maxProperties: 32,
        }),
      })
      .optional()
      .meta({
        description:
          'Secret with name and metaurl of the filesystem, and what it is formatted with, as the JuiceFS CSI driver reads it; the operator never does.',
      }),
  })
  .meta({
    description:
      'The JuiceFS behind the volume. Without storageClassName it is a static volume of the JuiceFS CSI driver; with it, the class makes the volume, and one that is not JuiceFS is a condition; a failure only with defaultEngine juicefs-clone.',
    ...rules({
      rule: "!has(self.secretsRef) || !self.source.matches('://[^@]*:[^@]*@|[?&][a-z]*password=')",
      message: 'must hold no password when secretsRef is set: put it into the Secret',
      fieldPath: '.source',
    }),
  });

const retentionPolicy = z
  .object({
    keepMinSnapshots: int32(0, 100_000)
      .default(10)
      .meta({ description: 'Never fewer than this many, the newest ones.' }),
    keepMinAge: duration.default('24h').meta({ description: 'Nothing younger than this is pruned.' }),
    keepTags: set(tag, 64).optional().meta({ description: 'Nothing with one of these tags is pruned.' }),
  })
  .meta({
    description:
      'What is kept when snapshots are pruned. Without it only surplus automatic snapshots are pruned. More than half of them go at once only with annotation jvs.io/allow-mass-prune: "true".',
    ...rules({
      rule: "self.keepMinSnapshots > 0 || (has(self.keepTags) && size(self.keepTags) > 0) || !self.keepMinAge.matches('^(0+([.]0+)?(ms|s|m|h|d))+$')",
      message: 'keeps nothing: set keepMinSnapshots or keepMinAge above 0, or name keepTags',
    }),
  });

/** A schedule of five fields as CronJobs take it, or a macro. */
const schedule = (() => {
  const list = (value: string) => {
    const item = `([*?]|${value}(-${value})?)(/[1-9][0-9]?)?`;
    return `${item}(,${item})*`;
  };
  const fields = [
    list('[0-5]?[0-9]'),
    list('([01]?[0-9]|2[0-3])'),
    list('(0?[1-9]|[12][0-9]|3[01])'),
    list('(0?[1-9]|1[0-2]|(?i:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec))'),
    list('([0-6]|(?i:sun|mon|tue|wed|thu|fri|sat))'),
  ];
  return text(
    `^(@(yearly|annually|monthly|weekly|daily|midnight|hourly)|${fields.join(' +')})$`,
    'must be a schedule of five fields such as "0 */4 * * *", or @hourly, @daily, @weekly, @monthly, @yearly',
    256,
  );
})();

const autoSnapshot = z
  .object({
    enabled: z.boolean().default(true).meta({ description: 'Whether snapshots are taken by themselves.' }),
    schedule: schedule.optional().meta({
      description: 'When: minute, hour, day of month, month, day of week; or a macro such as @daily.',
    }),
    timeZone: text(
      '^[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)*$',
      'must be the IANA name of a time zone such as Europe/Berlin',
      64,
    )
      .default('UTC')
      .meta({ description: 'IANA time zone of the schedule.' }),
    template: template
      .optional()
      .meta({ description: 'Tags of the snapshots, as of spec.template of a Snapshot.' }),
    maxSnapshots: int32(1, 100_000)
      .default(30)
      .meta({ description: 'Automatic snapshots beyond this many are pruned, oldest first.' }),
    suspend: z.boolean().default(false).meta({ description: 'Pauses the schedule.' }),
    skipUnchanged: z
      .boolean()
      .default(false)
      .meta({ description: 'Takes no snapshot when nothing has changed.' }),
    startingDeadlineSeconds: int32(0)
      .optional()
      .meta({ description: 'A run that is this late is left out.' }),
  })
  .meta({
    description:
      'Snapshots by schedule, as CronJobs run: at most one is caught up on, and none runs while no pod does.',
    ...rules({
      rule: '!self.enabled || has(self.schedule)',
      message: 'is needed unless enabled is false',
      fieldPath: '.schedule',
    }),
  });

const podTemplate = z
  .looseObject({
    metadata: z
      .looseObject({
        labels: z.record(z.string(), z.string()).optional(),
        annotations: z.record(z.string(), z.string()).optional(),
      })
      .optional()
      .meta({ description: 'Labels and annotations of the pods.', ...open }),
    spec: z
      .looseObject({
        containers: z
          .array(z.looseObject({ name: z.string() }).meta(open))
          .min(1)
          .meta({ description: 'Your containers. Volume and agent are added to them.' }),
      })
      .meta({ description: 'PodSpec of Kubernetes.', ...open }),
  })
  .meta({
    description:
      'Pod template of your containers, as in a Deployment. Without it the pods run the agent alone.',
    ...open,
  });

export const workspaceSpecSchema = z
  .object({
    replicas: int32(0, 1000).default(1).meta({ description: 'Pods that mount the workspace; 0 stops it.' }),
    storage: volumeSize.prefault('10Gi').meta({
      description: 'Size of the volume. It may grow where the storage class allows it, and never shrinks.',
    }),
    storageClassName: objectName
      .optional()
      .meta({ description: "Class of the volume; the cluster's default where it is not set. Immutable." }),
    accessModes: set(z.enum(['ReadWriteOnce', 'ReadWriteOncePod', 'ReadWriteMany']), 3)
      .min(1)
      .optional()
      .meta({
        description:
          'Access modes of the volume. Where not set: ReadWriteMany when there are several replicas at first, else ReadWriteOnce. Immutable.',
      }),
    defaultEngine: engine.default('copy').meta({
      description:
        'How snapshots are made. Where the volume can not do it, files are copied and the condition Degraded says so.',
    }),
    juiceFsConfig: juiceFsConfig.optional(),
    retentionPolicy: retentionPolicy.optional(),
    autoSnapshot: autoSnapshot.optional(),
    mountOptions: z.array(string(256)).max(32).optional().meta({
      description:
        'Mount options of a static JuiceFS volume. A volume of a StorageClass has those of its class: others are a condition.',
    }),
    initialSnapshot: objectName.optional().meta({
      description:
        'Snapshot of another Workspace in this namespace that main holds before user containers start for the first time. A volume that has snapshots or files already is left as it is. Immutable.',
    }),
    template: podTemplate.optional(),
    mountPath: text(
      `^(/${pathSegment(':')})+$`,
      'must be an absolute path such as /workspace: not /, without . or .. or : in it and without / at its end',
      512,
    )
      .default('/workspace')
      .meta({
        description: 'Where the volume is mounted in your containers. The files are in main below it.',
      }),
    historyAccess: z.enum(['ReadOnly', 'ReadWrite']).default('ReadOnly').meta({
      description:
        'Whether your containers may write .jvs, which holds the snapshots. They need to only to run jvs by hand.',
    }),
    finalSnapshot: z.boolean().default(false).meta({
      description:
        'Takes a snapshot when your containers have exited, before the pod goes, and when one was killed for its memory or crashed. Of several pods only the primary takes one.',
    }),
    reclaimPolicy: z
      .enum(['Retain', 'Delete'])
      .default('Retain')
      .meta({ description: 'What becomes of the volume claim when the Workspace is deleted.' }),
    hooks: z
      .object({
        preSnapshot: hook
          .optional()
          .meta({ description: 'Before a snapshot, to freeze the files.', ...hookRules }),
        postSnapshot: hook
          .optional()
          .meta({ description: 'After a snapshot, whatever became of it, to thaw them.', ...hookRules }),
      })
      .optional()
      .meta({ description: 'What is called around each snapshot.' }),
  })
  .meta({
    description: 'What you want.',
    ...rules(
      ...immutable(
        ['storageClassName', 'accessModes'],
        'the volume can not change it; make another Workspace',
      ),
      ...immutable(['initialSnapshot'], 'it is restored only once; make another Workspace'),
      {
        rule: "!has(self.accessModes) || self.replicas <= 1 || 'ReadWriteMany' in self.accessModes",
        message: 'must have ReadWriteMany when replicas is more than 1: several pods mount the volume',
        fieldPath: '.accessModes',
      },
    ),
  });

export const workspaceStatusSchema = z
  .object({
    phase: z
      .enum(['Pending', 'Creating', 'Ready', 'Updating', 'Failed', 'Terminating'])
      .meta({ description: 'Where it stands, in one word.' }),
    message: z.string().meta({ description: 'Why, and what to do about it.' }),
    observedGeneration: int64(0).meta({ description: 'The metadata.generation that this status is about.' }),
    currentSnapshot: z.string().meta({ description: 'Id of the newest snapshot of worktree main.' }),
    snapshotCount: int32(0).meta({ description: 'Snapshots on the volume.' }),
    replicas: int32(0).meta({ description: 'Pods of the Workspace.' }),
    readyReplicas: int32(0).meta({ description: 'Pods of the Workspace that are ready.' }),
    selector: z.string().meta({ description: 'Label selector of the pods, for the scale subresource.' }),
    lastSnapshotTime: time.meta({ description: 'When the newest snapshot was taken.' }),
    nextSnapshotTime: time.meta({ description: 'When the next one is due.' }),
    repositoryID: z.string().meta({
      description:
        'Id of the repository on the volume. When the volume holds another, nothing is concluded from it until annotation jvs.io/repository names it.',
    }),
    effectiveEngine: z.string().meta({ description: 'The engine that the volume can do.' }),
    usedBytes: int64(0).meta({ description: "Used space of the volume's filesystem." }),
    capacityBytes: int64(0).meta({ description: "Size of the volume's filesystem." }),
    agent: z
      .object({
        pod: z.string().meta({ description: 'Its pod.' }),
        node: z.string().meta({ description: 'The node of the pod.' }),
        version: z.string().meta({ description: 'Its version.' }),
        lastSeen: time.meta({ description: 'When the operator last heard of it.' }),
      })
      .partial()
      .meta({ description: 'The agent that makes the snapshots.' }),
    worktrees: z
      .array(
        z
          .object({
            name: z.string().meta({ description: 'main, or the directory of that name in worktrees.' }),
            base: z.string().meta({ description: 'Id of the snapshot that it was made of.' }),
            head: z.string().meta({ description: 'Id of the snapshot that its files came from.' }),
            latest: z.string().meta({
              description: 'Id of its newest snapshot; another than head after an older one was restored.',
            }),
          })
          .partial()
          .required({ name: true }),
      )
      .meta({ description: 'The worktrees on the volume, main first; at most 100.' }),
    conditions: conditionsSchema,
  })
  .partial()
  .meta({ description: 'What is.' });

export const workspaceDefinition: Definition = {
  kind: 'Workspace',
  plural: 'workspaces',
  singular: 'workspace',
  shortNames: ['jvs'],
  description: 'A directory on a volume whose pods can checkpoint, roll back and branch it.',
  // Its name becomes a label's value and part of the names of its claim, Deployment and pods.
  name: {
    maxLength: 52,
    ...rules({
      rule: "self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",
      message:
        'must consist of lower case letters, digits and hyphens, for it becomes part of the names of pods',
    }),
  },
  spec: workspaceSpecSchema,
  status: workspaceStatusSchema,
  scale: {
    specReplicasPath: '.spec.replicas',
    statusReplicasPath: '.status.replicas',
    labelSelectorPath: '.status.selector',
  },
  columns: [
    { name: 'Status', type: 'string', jsonPath: '.status.phase' },
    { name: 'Snapshots', type: 'integer', jsonPath: '.status.snapshotCount' },
    { name: 'Last', type: 'date', jsonPath: '.status.lastSnapshotTime' },
    // No date: kubectl prints a date as an age, and one to come as <invalid>.
    { name: 'Next', type: 'string', jsonPath: '.status.nextSnapshotTime' },
    { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' },
    { name: 'Engine', type: 'string', jsonPath: '.status.effectiveEngine', priority: 1 },
    { name: 'Agent', type: 'string', jsonPath: '.status.agent.pod', priority: 1 },
    { name: 'AgentVersion', type: 'string', jsonPath: '.status.agent.version', priority: 1 },
    { name: 'Used', type: 'integer', jsonPath: '.status.usedBytes', priority: 1 },
    { name: 'Volume', type: 'string', jsonPath: '.spec.storage', priority: 1 },
  ],
};

export type WorkspaceSpec = z.infer<typeof workspaceSpecSchema>;
export type WorkspaceStatus = z.infer<typeof workspaceStatusSchema>;

export interface Workspace {
  apiVersion: typeof apiVersion;
  kind: 'Workspace';
  metadata: ObjectMeta;
  spec: WorkspaceSpec;
  status?: WorkspaceStatus;
}

export const workspaces = defineResource<Workspace>(apiVersion, 'Workspace', 'workspaces');

/**
 * A Workspace as the API server gives it, with the defaults filled in. A status that does not fit is dropped: it is
 * made anew.
 * @throws InvalidResource when the spec does not fit, with the path of each field
 */
export function parseWorkspace(object: unknown): Workspace {
  return parseResource('Workspace', workspaceSpecSchema, workspaceStatusSchema, object);
}
